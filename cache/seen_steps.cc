#include <chrono>

#include "cache/store.h"

// What steps read when they were last looked up: all that is known of why one runs again.
namespace mbuild::cache {
namespace {

constexpr std::int64_t k_day = 24 * 60 * 60;
constexpr std::int64_t k_forget_after = 30 * k_day;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::vector<SeenStep> Store::seen_steps(const Digest& build) {
  std::vector<SeenStep> out;
  bool touch = false;
  {
    Statement query(*database_, "SELECT place,key,used FROM steps WHERE build=?");
    query.bind(build);
    while (query.step()) {
      out.push_back({query.text(0), query.text(1), {}});
      touch = touch || query.number(2) < now() - k_day;
    }
  }
  if (touch) Statement(*database_, "UPDATE steps SET used=? WHERE build=?").bind(now()).bind(build).run();
  return out;
}

std::string Store::seen_inputs(const Digest& build, std::string_view place) {
  Statement query(*database_, "SELECT inputs FROM steps WHERE build=? AND place=?");
  return query.bind(build).bind(place).step() ? query.text(0) : std::string();
}

void Store::remember_steps(const Digest& build, const std::vector<SeenStep>& changed) {
  if (changed.empty()) return;
  Transaction transaction(*database_);
  for (const auto& step : changed) {
    Statement(*database_, "INSERT OR REPLACE INTO steps(build,place,key,used,inputs) VALUES(?,?,?,?,?)")
        .bind(build)
        .bind(step.place)
        .bind(step.key)
        .bind(now())
        .bind(step.inputs)
        .run();
  }
  Statement(*database_, "DELETE FROM steps WHERE used<?").bind(now() - k_forget_after).run();
  transaction.commit();
}

}  // namespace mbuild::cache
