#include "files/chmod.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"

// The symbolic form follows BSD's setmode(3), which is what COPY --chmod has upstream, down to its corners: `a` stands
// for all permission bits and setuid and setgid but not the sticky bit, "+t" needs a class that is not only "o", a copy
// of a class ("g=u") under "=" replaces what came before it in the same clause, and "X" looks at the mode that the file
// had at first.
namespace mbuild::executor {
namespace {

constexpr std::uint32_t k_sticky = 01000;
constexpr std::uint32_t k_standard = 06777;
constexpr std::uint32_t k_other = 0007;
constexpr std::uint32_t k_execute = 0111;

using Kind = ModeChange::Step::Kind;

Error out_of_range(std::string_view text) {
  return Error(ExitClass::usage,
               fmt::format("invalid chmod parameter: '{}'. it should be octal string and between 0 and 07777", text));
}

class SymbolicParser {
 public:
  explicit SymbolicParser(std::string_view text) : text_(text), rest_(text) {}

  std::vector<ModeChange::Step> run() {
    for (;;) {
      clause();
      if (rest_.empty()) return std::move(steps_);
      rest_.remove_prefix(1);  // the comma
    }
  }

 private:
  Error malformed() const {
    return Error(ExitClass::usage, fmt::format("invalid chmod parameter: '{}': invalid syntax", text_));
  }

  char take() {
    if (rest_.empty()) throw malformed();
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  void clause() {
    who_ = 0;
    for (char c = take();; c = take()) {
      if (c == 'a') {
        who_ |= k_standard;
      } else if (c == 'u') {
        who_ |= 04700;
      } else if (c == 'g') {
        who_ |= 02070;
      } else if (c == 'o') {
        who_ |= k_other;
      } else {
        operation_ = c;
        break;
      }
    }
    for (;; operation_ = take()) {
      if (operation_ != '+' && operation_ != '-' && operation_ != '=') throw malformed();
      permissions();
      if (rest_.empty() || rest_.front() == ',') return;
    }
  }

  // The letters after one operator.
  void permissions() {
    if (operation_ == '=') assigned_ = false;
    who_ &= ~k_sticky;
    bits_ = executable_ = 0;
    while (!rest_.empty() && letter(rest_.front())) rest_.remove_prefix(1);
    if (bits_ != 0 || (operation_ == '=' && !assigned_)) change(bits_);
    if (executable_ != 0) add(Kind::set_executable, executable_);
  }

  bool letter(char c) {
    const bool class_with_special_bits = who_ == 0 || (who_ & ~k_other) != 0;
    switch (c) {
      case 'r':
        bits_ |= 0444;
        return true;
      case 'w':
        bits_ |= 0222;
        return true;
      case 'x':
        bits_ |= k_execute;
        return true;
      case 'X':
        (operation_ == '-' ? bits_ : executable_) |= k_execute;
        return true;
      case 's':
        if (class_with_special_bits) bits_ |= 06000;
        return true;
      case 't':
        if (class_with_special_bits) {
          who_ |= k_sticky;
          bits_ |= k_sticky;
        }
        return true;
      case 'u':
      case 'g':
      case 'o':
        copy(c);
        return true;
      default:
        return false;
    }
  }

  void copy(char from) {
    if (bits_ != 0) change(std::exchange(bits_, 0));
    if (operation_ == '=') assigned_ = true;
    if (executable_ != 0) add(Kind::set_executable, std::exchange(executable_, 0));
    std::uint32_t to = 0;
    for (const std::uint32_t one : {0700U, 0070U, 0007U}) {
      if (who_ == 0 || (who_ & one & 0444U) != 0) to |= one;
    }
    steps_.push_back({.kind = Kind::copy,
                      .bits = 0,
                      .from_shift = from == 'u'   ? 6U
                                    : from == 'g' ? 3U
                                                  : 0U,
                      .to = to,
                      .operation = operation_});
  }

  void change(std::uint32_t bits) {
    if (operation_ == '=') {
      steps_.push_back({.kind = Kind::clear, .bits = who_ != 0 ? who_ : k_standard});
      assigned_ = true;
    }
    add(operation_ == '-' ? Kind::clear : Kind::set, bits);
  }

  void add(Kind kind, std::uint32_t bits) { steps_.push_back({.kind = kind, .bits = who_ != 0 ? who_ & bits : bits}); }

  std::string_view text_, rest_;
  std::vector<ModeChange::Step> steps_;
  std::uint32_t who_ = 0;  // bits of the classes named; 0: none was
  char operation_ = '=';
  bool assigned_ = false;         // an "=" has cleared what it replaces
  std::uint32_t bits_ = 0;        // of letters not yet turned into a step
  std::uint32_t executable_ = 0;  // the same for X
};

void apply_copy(const ModeChange::Step& step, std::uint32_t& mode) {
  const std::uint32_t value = (mode >> step.from_shift) & 7U;
  const std::uint32_t spread = (value << 6 | value << 3 | value) & step.to;
  if (step.operation == '=') mode &= ~step.to;
  if (step.operation == '-') {
    mode &= ~spread;
  } else {
    mode |= spread;
  }
}

}  // namespace

ModeChange parse_mode(std::string_view text) {
  if (text.empty()) throw out_of_range(text);
  if (text.front() < '0' || text.front() > '9') return {.octal = {}, .steps = SymbolicParser(text).run()};
  std::uint32_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') throw out_of_range(text);
    value = value * 8 + static_cast<std::uint32_t>(c - '0');
    if (value > 07777) throw out_of_range(text);
  }
  return {.octal = value, .steps = {}};
}

std::uint32_t changed_mode(const ModeChange& change, std::uint32_t mode, bool is_directory) {
  if (change.octal) return *change.octal;
  const bool executable = is_directory || (mode & k_execute) != 0;
  for (const auto& step : change.steps) {
    switch (step.kind) {
      case Kind::set:
        mode |= step.bits;
        break;
      case Kind::clear:
        mode &= ~step.bits;
        break;
      case Kind::set_executable:
        if (executable) mode |= step.bits;
        break;
      case Kind::copy:
        apply_copy(step, mode);
        break;
    }
  }
  return mode & 07777U;
}

}  // namespace mbuild::executor
