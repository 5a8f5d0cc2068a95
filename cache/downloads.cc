#include "cache/store.h"

// Table downloads: files that were had from servers.
namespace mbuild::cache {
std::optional<DownloadRecord> Store::find_download(const std::string& url) {
  Statement query(*database_, "SELECT etag,modified,mtime,digest,layer FROM downloads WHERE url=?");
  if (!query.bind(url).step()) return std::nullopt;
  return DownloadRecord{query.text(0), query.text(1), query.number(2), query.text(3), query.text(4)};
}

void Store::add_download(const std::string& url, const DownloadRecord& record) {
  Statement(*database_, "INSERT OR REPLACE INTO downloads VALUES(?,?,?,?,?,?,?)")
      .bind(url)
      .bind(record.etag)
      .bind(record.last_modified)
      .bind(record.mtime)
      .bind(record.digest)
      .bind(record.layer_id)
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

}  // namespace mbuild::cache
