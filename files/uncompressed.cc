#include "files/uncompressed.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace mbuild {
namespace {

constexpr std::size_t k_piece = 64 * 1024;

Error broken_input(struct archive* reader) {
  const char* text = ::archive_error_string(reader);
  return Error(ExitClass::usage, fmt::format("broken archive: {}", text != nullptr ? text : "unreadable"));
}

}  // namespace

void copy_uncompressed(int from, int to, const std::stop_token& stop) {
  const std::unique_ptr<struct archive, int (*)(struct archive*)> owner(::archive_read_new(), ::archive_read_free);
  auto* const reader = owner.get();
  ::archive_read_support_filter_gzip(reader);
  ::archive_read_support_filter_bzip2(reader);
  ::archive_read_support_filter_xz(reader);
  ::archive_read_support_filter_zstd(reader);
  ::archive_read_support_format_raw(reader);
  ::archive_read_support_format_empty(reader);
  struct archive_entry* entry = nullptr;
  if (::archive_read_open_fd(reader, from, k_piece) != ARCHIVE_OK) throw broken_input(reader);
  const int opened = ::archive_read_next_header(reader, &entry);
  if (opened == ARCHIVE_EOF) return;
  if (opened != ARCHIVE_OK && opened != ARCHIVE_WARN) throw broken_input(reader);
  char buffer[k_piece];
  for (;;) {
    const auto n = ::archive_read_data(reader, buffer, sizeof buffer);
    if (n == 0) return;
    if (n < 0) throw broken_input(reader);
    if (stop.stop_requested()) throw Cancelled();
    write_all(to, {buffer, static_cast<std::size_t>(n)});
  }
}

}  // namespace mbuild
