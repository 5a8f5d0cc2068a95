#include "cache/store.h"

#include "base/clock.h"
#include "base/strings.h"

// Tables records, definitions and durations: what steps gave, which inputs they had, and how long they took.
namespace mbuild::cache {
std::optional<StepRecord> Store::find_record(const Digest& content_key) {
  Statement query(*database_,
                  "UPDATE records SET used=? WHERE content_key=? "
                  "RETURNING content_key,layers,created,duration,emulator,name");
  if (!query.bind(unix_seconds()).bind(content_key).step()) return std::nullopt;
  StepRecord record;
  record.content_key = query.text(0);
  record.layers = split(query.text(1), ',');
  record.created = query.number(2);
  record.duration_ms = query.number(3);
  record.emulator = query.text(4);
  record.name = query.text(5);
  query.finish();
  return record;
}

void Store::add_record(const StepRecord& record) {
  Statement(*database_, "INSERT OR REPLACE INTO records VALUES(?,?,?,?,?,?,?,?)")
      .bind(record.content_key)
      .bind(join(record.layers, ","))
      .bind(record.created)
      .bind(record.duration_ms)
      .bind(record.emulator)
      .bind(record.name)
      .bind(unix_seconds())
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

std::optional<Digest> Store::find_definition(const Digest& definition_key, const Digest& inputs) {
  Statement query(*database_, "SELECT content_key FROM definitions WHERE definition_key=? AND inputs=?");
  if (!query.bind(definition_key).bind(inputs).step()) return std::nullopt;
  return query.text(0);
}

std::optional<std::string> Store::latest_layer_of(const Digest& definition_key) {
  Statement query(*database_,
                  "SELECT layers FROM definitions JOIN records USING(content_key) WHERE definition_key=? "
                  "ORDER BY used DESC LIMIT 1");
  if (!query.bind(definition_key).step()) return std::nullopt;
  return split(query.text(0), ',').front();
}

void Store::add_definition(const Digest& definition_key, const Digest& inputs, const Digest& content_key) {
  Statement(*database_, "INSERT OR REPLACE INTO definitions VALUES(?,?,?,?)")
      .bind(definition_key)
      .bind(inputs)
      .bind(content_key)
      .bind(boot_id_)
      .run();
  added_rows_ = true;
}

std::optional<std::int64_t> Store::expected_duration_ms(const Digest& key) {
  Statement query(*database_, "SELECT milliseconds FROM durations WHERE step=?");
  if (!query.bind(key).step()) return std::nullopt;
  return query.number(0);
}

void Store::remember_duration(const Digest& key, std::int64_t milliseconds) {
  Statement(*database_, "INSERT OR REPLACE INTO durations VALUES(?,?)").bind(key).bind(milliseconds).run();
}

}  // namespace mbuild::cache
