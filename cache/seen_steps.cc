#include "cache/store.h"

#include "base/clock.h"

// What is known of steps beside their results: what they read when they were last looked up, which is all there is to
// say why one runs again, and the partial keys that were met.
namespace mbuild::cache {
namespace {

constexpr std::int64_t k_day = 24 * 60 * 60;
constexpr std::int64_t k_forget_after = 30 * k_day;

}  // namespace

std::vector<SeenStep> Store::seen_steps(const Digest& build) {
  std::vector<SeenStep> out;
  bool touch = false;
  {
    Statement query(*database_, "SELECT place,key,used FROM seen_steps WHERE build=?");
    query.bind(build);
    while (query.step()) {
      out.push_back({query.text(0), query.text(1), {}});
      touch = touch || query.number(2) < unix_seconds() - k_day;
    }
  }
  if (touch) Statement(*database_, "UPDATE seen_steps SET used=? WHERE build=?").bind(unix_seconds()).bind(build).run();
  return out;
}

std::string Store::seen_inputs(const Digest& build, std::string_view place) {
  Statement query(*database_, "SELECT inputs FROM seen_steps WHERE build=? AND place=?");
  return query.bind(build).bind(place).step() ? query.text(0) : std::string();
}

void Store::remember_steps(const Digest& build, const std::vector<SeenStep>& changed) {
  if (changed.empty()) return;
  Transaction transaction(*database_);
  for (const auto& step : changed) {
    Statement(*database_, "INSERT OR REPLACE INTO seen_steps(build,place,key,used,inputs) VALUES(?,?,?,?,?)")
        .bind(build)
        .bind(step.place)
        .bind(step.key)
        .bind(unix_seconds())
        .bind(step.inputs)
        .run();
  }
  for (const char* forget : {"DELETE FROM seen_steps WHERE used<?", "DELETE FROM partial_keys WHERE added<?"}) {
    Statement(*database_, forget).bind(unix_seconds() - k_forget_after).run();
  }
  transaction.commit();
}

bool Store::knows_partial_key(const Digest& key) {
  return Statement(*database_, "SELECT 1 FROM partial_keys WHERE key=?").bind(key).step();
}

void Store::add_partial_key(const Digest& key) {
  Statement(*database_, "INSERT OR REPLACE INTO partial_keys VALUES(?,?)").bind(key).bind(unix_seconds()).run();
}

}  // namespace mbuild::cache
