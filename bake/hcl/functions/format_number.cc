#include <fmt/format.h>
#include <gmp.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "bake/hcl/functions.h"
#include "bake/hcl/functions/format_verb.h"

namespace mbuild::bake::hcl {

namespace {

// Whole numbers of more bits are not written out.
constexpr long k_digit_bits = 1L << 22;
// From a million on, %g without a precision shows an exponent.
constexpr long k_exponent_limit = 6;

std::string sign_of(const FormatVerb& verb, bool negative) {
  if (negative) {
    return "-";
  }
  return verb.plus ? "+" : verb.space ? " " : "";
}

// Zeros go between sign and digits.
std::string pad(const FormatVerb& verb, const std::string& sign, const std::string& digits) {
  const std::size_t size = sign.size() + digits.size();
  const std::size_t missing = verb.width && *verb.width > size ? *verb.width - size : 0;
  if (verb.minus) {
    return sign + digits + std::string(missing, ' ');
  }
  return verb.zero ? sign + std::string(missing, '0') + digits : std::string(missing, ' ') + sign + digits;
}

std::string integer_digits(const Number& number, int base) {
  mpz_t integer;
  mpz_init(integer);
  mpfr_get_z(integer, number.get(), MPFR_RNDZ);
  mpz_abs(integer, integer);
  char* text = mpz_get_str(nullptr, base, integer);
  std::string digits = text;
  std::free(text);
  mpz_clear(integer);
  return digits;
}

struct Base {
  int base;
  std::string_view prefix;
};

Base base_of(char mode) {
  switch (mode) {
    case 'b':
      return {2, "0b"};
    case 'o':
      return {8, "0"};
    case 'x':
      return {16, "0x"};
    case 'X':
      return {16, "0X"};
    default:
      return {10, ""};
  }
}

// By the library, which rounds the exact value.
std::string rounded(char mode, std::size_t precision, const Number& number) {
  const std::string format = fmt::format("%.{}RN{}", precision, mode);
  char* text = nullptr;
  if (mpfr_asprintf(&text, format.c_str(), number.get()) < 0) {
    throw CallError("the number cannot be formatted");
  }
  std::string result = text;
  mpfr_free_str(text);
  return result;
}

// As many digits as tell the number from others; with an exponent if that is below -4 or at the limit.
std::string shortest(char mode, const Number& number) {
  auto [digits, point] = shortest_digits(number);
  if (digits.empty()) {
    return "0";
  }
  const long exponent = point - 1;
  if (exponent >= -4 && exponent < k_exponent_limit) {
    return to_text(number);
  }
  if (digits.size() > 1) {
    digits.insert(1, 1, '.');
  }
  const char* sign = exponent < 0 ? "-" : "+";
  return fmt::format("{}{}{}{:02}", digits, mode == 'G' ? 'E' : 'e', sign, std::labs(exponent));
}

}  // namespace

std::string format_integer(const FormatVerb& verb, const Number& number) {
  if (!is_whole(number) || mpfr_get_exp(number.get()) > k_digit_bits) {
    throw CallError(fmt::format("unsupported value for \"{}\": an integer is required", verb.text));
  }
  const auto [base, prefix] = base_of(verb.mode);
  std::string digits = integer_digits(number, base);
  if (verb.precision && *verb.precision == 0 && digits == "0") {
    digits.clear();
  }
  if (verb.precision && digits.size() < *verb.precision) {
    digits.insert(0, *verb.precision - digits.size(), '0');
  }
  if (verb.mode == 'X') {
    std::transform(digits.begin(), digits.end(), digits.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  }
  std::string sign = sign_of(verb, is_negative(number) && compare(number, Number(0)) != 0);
  if (verb.sharp) {
    sign += prefix;
  }
  if (!verb.precision) {
    return pad(verb, sign, digits);
  }
  FormatVerb blanks = verb;  // the precision says how many zeros there are
  blanks.zero = false;
  return pad(blanks, sign, digits);
}

std::string format_float(const FormatVerb& verb, const Number& number) {
  const std::string sign = sign_of(verb, is_negative(number));
  const Number magnitude = absolute(number);
  if (is_infinite(number)) {
    FormatVerb blanks = verb;
    blanks.zero = false;
    return pad(blanks, is_negative(number) ? "-" : "+", "Inf");
  }
  const bool general = verb.mode == 'g' || verb.mode == 'G';
  const std::string digits = general && !verb.precision ? shortest(verb.mode, magnitude)
                                                        : rounded(verb.mode, verb.precision.value_or(6), magnitude);
  return pad(verb, sign, digits);
}

}  // namespace mbuild::bake::hcl
