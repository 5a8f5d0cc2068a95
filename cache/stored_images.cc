#include "cache/store.h"

// Images that the user keeps by name. What each consists of is written down beside it, because this room can't read
// manifests and collection has to know which blobs are in use.
namespace mbuild::cache {
namespace {

constexpr const char* k_columns = "SELECT name,media_type,digest,size,platforms,created,bytes FROM images";

StoredImage image_of(Database& database, const Statement& row) {
  StoredImage image;
  image.name = row.text(0);
  image.media_type = row.text(1);
  image.digest = row.text(2);
  image.size = static_cast<std::uint64_t>(row.number(3));
  image.platforms = row.text(4);
  image.created = row.number(5);
  image.bytes = static_cast<std::uint64_t>(row.number(6));
  Statement blobs(database, "SELECT blob FROM image_blobs WHERE image=?");
  blobs.bind(image.name);
  while (blobs.step()) image.blobs.push_back(blobs.text(0));
  return image;
}

void remove_rows(Database& database, std::string_view name) {
  Statement(database, "DELETE FROM images WHERE name=?").bind(name).run();
  Statement(database, "DELETE FROM image_blobs WHERE image=?").bind(name).run();
}

}  // namespace

void Store::add_image(const StoredImage& image) {
  Transaction transaction(*database_);
  remove_rows(*database_, image.name);
  Statement(*database_, "INSERT INTO images VALUES(?,?,?,?,?,?,?,?)")
      .bind(image.name)
      .bind(image.media_type)
      .bind(image.digest)
      .bind(static_cast<std::int64_t>(image.size))
      .bind(image.platforms)
      .bind(image.created)
      .bind(static_cast<std::int64_t>(image.bytes))
      .bind(boot_id_)
      .run();
  for (const auto& blob : image.blobs) {
    Statement(*database_, "INSERT OR IGNORE INTO image_blobs VALUES(?,?,?)")
        .bind(image.name)
        .bind(blob)
        .bind(boot_id_)
        .run();
  }
  transaction.commit();
  added_rows_ = true;
}

std::optional<StoredImage> Store::find_image(std::string_view name) {
  Statement query(*database_, (std::string(k_columns) + " WHERE name=?").c_str());
  if (!query.bind(name).step()) return std::nullopt;
  return image_of(*database_, query);
}

std::vector<StoredImage> Store::images() {
  Statement query(*database_, (std::string(k_columns) + " ORDER BY name").c_str());
  std::vector<StoredImage> images;
  while (query.step()) images.push_back(image_of(*database_, query));
  return images;
}

bool Store::remove_image(std::string_view name) {
  Transaction transaction(*database_);
  const bool found = Statement(*database_, "SELECT 1 FROM images WHERE name=?").bind(name).step();
  remove_rows(*database_, name);
  transaction.commit();
  return found;
}

}  // namespace mbuild::cache
