#include "cache/store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/strings.h"

// Tables layers and audits: the directories of layers, and what was found in them.
namespace mbuild::cache {
namespace {

Layer layer_of(const Statement& row) {
  Layer layer;
  layer.id = row.text(0);
  layer.result_digest = row.text(1);
  layer.pulled = row.number(2) != 0;
  layer.bytes = static_cast<std::uint64_t>(row.number(3));
  layer.files = static_cast<std::uint64_t>(row.number(4));
  layer.newest_mtime = row.number(5);
  // A name may hold any byte but NUL; JSON cannot, so names are kept NUL-separated.
  if (const auto implied = row.text(6); !implied.empty()) layer.implied = split(implied, '\0');
  return layer;
}

}  // namespace

std::string bundle_id(const Digest& key) { return fmt::format("run-{}", digest_hex(key).substr(0, 32)); }

std::optional<Layer> Store::find_layer(std::string_view id) {
  std::optional<Layer> layer;
  {
    Statement query(*database_,
                    "UPDATE layers SET used=? WHERE id=? RETURNING id,result,pulled,bytes,files,newest,implied");
    if (!query.bind(unix_seconds()).bind(id).step()) return std::nullopt;
    layer = layer_of(query);
    query.finish();
  }
  struct stat status;
  if (::lstat(layer_path(id).c_str(), &status) < 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  return layer;
}

std::optional<Layer> Store::find_layer_by_result(const Digest& result_digest) {
  std::vector<std::string> ids;
  {
    Statement query(*database_, "SELECT id FROM layers WHERE result=? AND pulled=0 ORDER BY used DESC");
    query.bind(result_digest);
    while (query.step()) ids.push_back(query.text(0));
  }
  for (const auto& id : ids) {
    if (auto layer = find_layer(id)) return layer;
  }
  return std::nullopt;
}

void Store::add_layer(const Layer& layer) {
  std::string implied;
  for (const auto& path : layer.implied) {
    if (!implied.empty()) implied += '\0';
    implied += path;
  }
  Statement(*database_, "INSERT OR REPLACE INTO layers VALUES(?,?,?,?,?,?,?,?,?)")
      .bind(layer.id)
      .bind(layer.result_digest)
      .bind(layer.pulled ? 1 : 0)
      .bind(static_cast<std::int64_t>(layer.bytes))
      .bind(static_cast<std::int64_t>(layer.files))
      .bind(layer.newest_mtime)
      .bind(implied)
      .bind(unix_seconds())
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

std::optional<std::string> Store::find_audit(std::string_view layer_id, std::string_view platform) {
  Statement query(*database_, "SELECT findings FROM audits WHERE layer=? AND platform=?");
  if (!query.bind(layer_id).bind(platform).step()) return std::nullopt;
  return query.text(0);
}

void Store::add_audit(std::string_view layer_id, std::string_view platform, std::string_view findings) {
  Statement(*database_, "INSERT OR REPLACE INTO audits VALUES(?,?,?)")
      .bind(layer_id)
      .bind(platform)
      .bind(findings)
      .run();
}

}  // namespace mbuild::cache
