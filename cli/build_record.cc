#include "cli/build_record.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/output_file.h"
#include "cli/config/surroundings.h"
#include "cli/config/version.h"
#include "history/page.h"
#include "history/trace.h"

namespace mbuild::cli {
namespace {

std::vector<std::string> words_without_name() {
  auto words = typed_words();
  if (!words.empty()) words.erase(words.begin());
  return words;
}

}  // namespace

BuildRecord::BuildRecord(const RecordRequest& request, executor::ProgressSink& shown)
    : request_(request), shown_(shown) {
  const auto time = unix_nanoseconds().count();
  place_ = history::add_record(request.store_root, request.bounds, time);
  if (!place_ && request.report.empty() && request.profile.empty()) return;
  const history::Beginning beginning{.id = place_ ? place_->id : random_hex(6),
                                     .program = std::string("mbuild ") + k_version,
                                     .started = time,
                                     .command = words_without_name(),
                                     .directory = request.directory,
                                     .targets = request.targets};
  recorder_ = std::make_unique<history::Recorder>(shown, place_ ? std::move(place_->file) : memory_file(""), beginning);
}

executor::ProgressSink& BuildRecord::sink() { return recorder_ ? *recorder_ : shown_; }

void BuildRecord::end(const std::vector<TargetResult>& results, const Error* error, bool cancelled) {
  if (!recorder_) return;
  history::End end{.time = 0, .cancelled = cancelled, .failure = {}, .outcomes = {}};
  if (error != nullptr) end.failure = history::failure_of(*error);
  for (const auto& [request, result] : results) end.outcomes.push_back(history::outcome_of(result));
  recorder_->end(std::move(end));
}

void BuildRecord::write_files() {
  if (!recorder_) return;
  if (!request_.report.empty()) write_output(request_.report, history::report_page(recorder_->text()));
  if (!request_.profile.empty())
    write_output(request_.profile, history::chrome_trace(history::parse_record(recorder_->text(), "the record")));
}

}  // namespace mbuild::cli
