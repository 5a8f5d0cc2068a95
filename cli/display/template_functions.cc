#include "cli/display/template_functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/strings.h"

namespace mbuild::cli {
namespace {

using Json = nlohmann::ordered_json;
using Arguments = std::vector<Json>;

std::string compact(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Bytes of a text to be cut or padded; what is asked for is a mistake where it is far more than anybody reads.
std::size_t count_of(const Json& value) {
  constexpr std::int64_t k_most = 10'000;
  const auto out = value.is_number_integer() ? value.get<std::int64_t>() : -1;
  if (out < 0 || out > k_most) template_error("no length: " + template_text(value));
  return static_cast<std::size_t>(out);
}

Json title(const Arguments& arguments) {
  std::string out = template_text(arguments[0]);
  bool begins = true;
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (begins) c = static_cast<char>(std::toupper(byte));
    begins = std::isspace(byte) != 0;
  }
  return out;
}

Json split_text(const Arguments& arguments) {
  std::string_view text = arguments[0].is_string() ? arguments[0].get_ref<const std::string&>() : std::string_view();
  const std::string separator = template_text(arguments[1]);
  auto out = Json::array();
  if (separator.empty()) template_error("split needs a separator");
  for (auto at = text.find(separator); at != std::string_view::npos; at = text.find(separator)) {
    out.push_back(std::string(text.substr(0, at)));
    text.remove_prefix(at + separator.size());
  }
  out.push_back(std::string(text));
  return out;
}

Json join_list(const Arguments& arguments) {
  std::vector<std::string> parts;
  for (const auto& value : arguments[0]) parts.push_back(template_text(value));
  return join(parts, arguments.size() > 1 ? template_text(arguments[1]) : "");
}

Json index(const Arguments& arguments) {
  Json value = arguments.front();
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const Json& key = arguments[i];
    if (value.is_array() && key.is_number_unsigned() && key.get<std::size_t>() < value.size()) {
      value = Json(value[key.get<std::size_t>()]);
    } else if (value.is_object() && key.is_string()) {
      value = value.value(key.get<std::string>(), Json(""));
    } else if (!value.is_null()) {
      throw usage_error("index out of range: " + template_text(key));
    }
  }
  return value;
}

Json length(const Arguments& arguments) {
  const Json& value = arguments[0];
  return value.is_string() ? value.get_ref<const std::string&>().size() : value.size();
}

Json pad(const Arguments& arguments) {
  const std::string text = template_text(arguments[0]);
  return text.empty() ? text
                      : std::string(count_of(arguments[1]), ' ') + text + std::string(count_of(arguments[2]), ' ');
}

Json slice(const Arguments& arguments) {
  const std::string text = template_text(arguments[0]);
  const auto from = arguments.size() > 1 ? count_of(arguments[1]) : 0;
  const auto to = arguments.size() > 2 ? count_of(arguments[2]) : text.size();
  if (from > to || to > text.size()) throw usage_error(fmt::format("slice: {} to {} is out of range", from, to));
  return text.substr(from, to - from);
}

Json print_words(const Arguments& arguments) {
  std::vector<std::string> words;
  for (const auto& argument : arguments) words.push_back(template_text(argument));
  return join(words, " ");
}

// %s, %v, %d, %q, %t, %f, %x with "-", "0", a width and, of %f, digits.
Json print_by_format(const Arguments& arguments) {
  const std::string format = template_text(arguments[0]);
  std::string out;
  std::size_t next = 1;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const auto end = std::min(format.find_first_not_of("-+0123456789.", i + 1), format.size() - 1);
    const std::string flags = format.substr(i + 1, end - i - 1);
    const char verb = format[i = end];
    if (verb == '%') {
      out += '%';
      continue;
    }
    if (next >= arguments.size()) template_error("printf: too few values for " + format);
    const Json& value = arguments[next++];
    std::string text = verb == 'q' ? compact(template_text(value)) : template_text(value);
    if (verb == 'x' && value.is_number_integer()) text = fmt::format("{:x}", value.get<std::int64_t>());
    if (verb == 'f' && value.is_number()) {
      const auto dot = flags.find('.');
      const auto digits = dot == std::string::npos ? 6 : std::strtoul(flags.c_str() + dot + 1, nullptr, 10);
      text = fmt::format("{:.{}f}", value.get<double>(), std::min<unsigned long>(digits, 30));
    }
    if (std::string_view("svdqtfx").find(verb) == std::string_view::npos) {
      template_error(fmt::format("printf: unknown verb %{}", verb));
    }
    const bool left = flags.starts_with('-');
    const auto width = std::min(std::strtoul(flags.c_str() + (left ? 1 : 0), nullptr, 10), 1000UL);
    const std::string filling(width > text.size() ? width - text.size() : 0, flags.starts_with('0') ? '0' : ' ');
    out += left ? text + filling : filling + text;
  }
  return out;
}

bool equal(const Json& a, const Json& b) {
  const bool comparable = a.is_null() || b.is_null() || a.type() == b.type() || (a.is_number() && b.is_number());
  if (!comparable) {
    throw usage_error(fmt::format("template: incompatible types for comparison: {} and {}", compact(a), compact(b)));
  }
  return a == b;
}

bool less(const Json& a, const Json& b) { return !equal(a, b) && a < b; }

Json first_where(const Arguments& arguments, bool wanted) {
  const auto found =
      std::ranges::find_if(arguments, [&](const auto& value) { return is_template_true(value) == wanted; });
  return found == arguments.end() ? arguments.back() : *found;
}

struct Function {
  std::size_t least, most;  // arguments
  Json (*call)(const Arguments&);
};

constexpr std::size_t k_any = std::numeric_limits<std::size_t>::max();

const std::map<std::string_view, Function>& functions() {
  static const std::map<std::string_view, Function> table = {
      {"json", {1, 1, [](const Arguments& a) -> Json { return compact(a[0]); }}},
      {"join", {1, 2, join_list}},
      {"split", {2, 2, split_text}},
      {"lower", {1, 1, [](const Arguments& a) -> Json { return to_lower(template_text(a[0])); }}},
      {"upper", {1, 1, [](const Arguments& a) -> Json { return to_upper(template_text(a[0])); }}},
      {"title", {1, 1, title}},
      {"pad", {3, 3, pad}},
      {"truncate", {2, 2, [](const Arguments& a) -> Json { return template_text(a[0]).substr(0, count_of(a[1])); }}},
      {"index", {1, k_any, index}},
      {"len", {1, 1, length}},
      {"slice", {1, 3, slice}},
      {"print", {0, k_any, print_words}},
      {"println", {0, k_any, [](const Arguments& a) -> Json { return print_words(a).get<std::string>() + "\n"; }}},
      {"printf", {1, k_any, print_by_format}},
      {"not", {1, 1, [](const Arguments& a) -> Json { return !is_template_true(a[0]); }}},
      {"and", {1, k_any, [](const Arguments& a) { return first_where(a, false); }}},
      {"or", {1, k_any, [](const Arguments& a) { return first_where(a, true); }}},
      {"eq",
       {2, k_any,
        [](const Arguments& a) -> Json {
          return std::any_of(a.begin() + 1, a.end(), [&](const auto& other) { return equal(a[0], other); });
        }}},
      {"ne", {2, 2, [](const Arguments& a) -> Json { return !equal(a[0], a[1]); }}},
      {"lt", {2, 2, [](const Arguments& a) -> Json { return less(a[0], a[1]); }}},
      {"le", {2, 2, [](const Arguments& a) -> Json { return !less(a[1], a[0]); }}},
      {"gt", {2, 2, [](const Arguments& a) -> Json { return less(a[1], a[0]); }}},
      {"ge", {2, 2, [](const Arguments& a) -> Json { return !less(a[0], a[1]); }}},
  };
  return table;
}

}  // namespace

void template_error(std::string_view what) {
  std::vector<std::string> names;
  for (const auto& [name, function] : functions()) names.emplace_back(name);
  throw usage_error(fmt::format("template parsing error: {}", what))
      .with_advice(
          fmt::format("--format takes fields ({{{{.Name}}}}), variables, range, if, with, and the functions {}.",
                      join(names, ", ")));
}

std::string template_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "<no value>";
  std::vector<std::string> parts;
  if (value.is_array()) {
    for (const auto& item : value) parts.push_back(template_text(item));
    return "[" + join(parts, " ") + "]";
  }
  if (!value.is_object()) return compact(value);
  for (const auto& [key, item] : value.items()) parts.push_back(key + ":" + template_text(item));
  std::ranges::sort(parts);
  return "map[" + join(parts, " ") + "]";
}

bool is_template_true(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value != 0;
  return !value.empty() && value != "";
}

Json call_template_function(const std::string& name, const Arguments& arguments) {
  const auto found = functions().find(name);
  if (found == functions().end()) template_error(fmt::format("function \"{}\" not defined", name));
  const auto& function = found->second;
  if (arguments.size() < function.least || arguments.size() > function.most) {
    template_error("wrong number of args for " + name);
  }
  return function.call(arguments);
}

}  // namespace mbuild::cli
