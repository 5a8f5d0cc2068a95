#include "cache/store.h"

// Table serialisations: the blobs that layers were written as.
namespace mbuild::cache {
namespace {

std::string clamp_text(const std::optional<std::int64_t>& clamp) { return clamp ? std::to_string(*clamp) : ""; }

}  // namespace

std::optional<Serialisation> Store::find_serialisation(const SerialisationKey& key) {
  Serialisation value;
  {
    Statement query(
        *database_,
        "SELECT diff_id,digest,size FROM serialisations WHERE layer=? AND compression=? AND level=? AND clamp=?");
    if (!query.bind(key.layer_id).bind(key.compression).bind(key.level).bind(clamp_text(key.clamp_mtime)).step()) {
      return std::nullopt;
    }
    value = {query.text(0), query.text(1), static_cast<std::uint64_t>(query.number(2))};
  }  // a read that is still open could not turn into a write
  if (!use_blob(value.digest, value.size)) return std::nullopt;
  return value;
}

void Store::add_serialisation(const SerialisationKey& key, const Serialisation& value) {
  Statement(*database_, "INSERT OR REPLACE INTO serialisations VALUES(?,?,?,?,?,?,?,?)")
      .bind(key.layer_id)
      .bind(key.compression)
      .bind(key.level)
      .bind(clamp_text(key.clamp_mtime))
      .bind(value.diff_id)
      .bind(value.digest)
      .bind(static_cast<std::int64_t>(value.size))
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

}  // namespace mbuild::cache
