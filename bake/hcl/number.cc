#include "bake/hcl/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <new>
#include <system_error>

namespace mbuild::bake::hcl {

namespace {

mpfr_prec_t common_precision(const Number& a, const Number& b) {
  return std::max(mpfr_get_prec(a.get()), mpfr_get_prec(b.get()));
}

template <typename Operation>
Number with_result(mpfr_prec_t precision, Operation operation) {
  Number result(Number::Uninitialized{precision});
  operation(result.raw());
  return result;
}

std::size_t skip_digits(std::string_view text, std::size_t i) {
  while (i < text.size() && text[i] >= '0' && text[i] <= '9') {
    ++i;
  }
  return i;
}

std::size_t skip_sign(std::string_view text, std::size_t i) {
  return i < text.size() && (text[i] == '+' || text[i] == '-') ? i + 1 : i;
}

// The length of [+-] digits and a fraction, of which one may be missing; 0 where it is none.
std::size_t decimal_length(std::string_view text) {
  const std::size_t begin = skip_sign(text, 0);
  std::size_t i = skip_digits(text, begin);
  std::size_t digits = i - begin;
  if (i < text.size() && text[i] == '.') {
    const std::size_t fraction = ++i;
    i = skip_digits(text, i);
    digits += i - fraction;
  }
  return digits == 0 ? 0 : i;
}

// "", or one of the letters and a whole number.
bool is_exponent(std::string_view text, std::string_view letters) {
  if (text.empty()) {
    return true;
  }
  const std::size_t begin = skip_sign(text, 1);
  return letters.find(text[0]) != std::string_view::npos && begin < text.size() &&
         skip_digits(text, begin) == text.size();
}

bool is_infinity(std::string_view text) {
  text.remove_prefix(skip_sign(text, 0));
  return text == "inf" || text == "Inf";
}

// Without "_" between digits.
std::string without_separators(std::string_view text, bool (*is_digit)(char)) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool between = i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1]);
    if (text[i] != '_' || !between) {
      result += text[i];
    }
  }
  return result;
}

bool is_decimal_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hexadecimal_digit(char c) {
  return is_decimal_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == 'x' || c == 'X';
}

// Numbers with more digits before the point, or zeros after it, are shown with an exponent.
constexpr long k_written_digits = 1'000'000;

}  // namespace

Number::Number(Uninitialized size) {
  mpfr_init2(value_, size.precision);
  mpfr_set_zero(value_, 1);
}

Number::Number(std::int64_t value) {
  mpfr_init2(value_, 64);
  mpfr_set_si(value_, value, MPFR_RNDN);
}

Number Number::of_double(double value) {
  return with_result(53, [&](mpfr_ptr result) { mpfr_set_d(result, value, MPFR_RNDN); });
}

Number::Number(const Number& other) {
  mpfr_init2(value_, mpfr_get_prec(other.value_));
  mpfr_set(value_, other.value_, MPFR_RNDN);
}

Number& Number::operator=(const Number& other) {
  if (this != &other) {
    mpfr_set_prec(value_, mpfr_get_prec(other.value_));
    mpfr_set(value_, other.value_, MPFR_RNDN);
  }
  return *this;
}

Number::~Number() { mpfr_clear(value_); }

std::optional<Number> parse_number(std::string_view text) {
  if (is_infinity(text)) {
    return with_result(k_number_precision,
                       [&](mpfr_ptr result) { mpfr_set_inf(result, text.starts_with('-') ? -1 : 1); });
  }
  const std::size_t length = decimal_length(text);
  const std::string_view exponent = text.substr(length);
  if (length == 0 || !is_exponent(exponent, "eEpP")) {
    return std::nullopt;
  }
  const bool binary = exponent.starts_with('p') || exponent.starts_with('P');
  const std::string decimal(binary ? text.substr(0, length) : text);
  return with_result(k_number_precision, [&](mpfr_ptr result) {
    mpfr_set_str(result, decimal.c_str(), 10, MPFR_RNDN);
    if (binary) {
      mpfr_mul_2si(result, result, std::strtol(std::string(exponent.substr(1)).c_str(), nullptr, 10), MPFR_RNDN);
    }
  });
}

std::optional<Number> parse_double(std::string_view text) {
  const bool negative = text.starts_with('-');
  text.remove_prefix(skip_sign(text, 0));
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  const std::string digits = without_separators(text, hexadecimal ? is_hexadecimal_digit : is_decimal_digit);
  const std::string_view number = std::string_view(digits).substr(hexadecimal ? 2 : 0);
  if (hexadecimal ? number.find_first_of("pP") == std::string_view::npos
                  : decimal_length(number) == 0 || !is_exponent(number.substr(decimal_length(number)), "eE")) {
    return std::nullopt;
  }
  double value = 0;
  const auto format = hexadecimal ? std::chars_format::hex : std::chars_format::general;
  const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value, format);
  const bool tiny = code == std::errc::result_out_of_range && number.find('-') != std::string_view::npos;
  if (end != number.data() + number.size() || (code != std::errc() && !tiny) || !std::isfinite(value)) {
    return std::nullopt;
  }
  return Number::of_double(negative ? -value : value);
}

std::string to_text(const Number& number) {
  const std::string sign = is_negative(number) ? "-" : "";
  if (is_infinite(number)) {
    return sign.empty() ? "+Inf" : "-Inf";
  }
  const auto [digits, point] = shortest_digits(number);
  if (digits.empty()) {
    return sign + "0";
  }
  if (std::labs(point) > k_written_digits) {
    return sign + "0." + digits + "e" + std::to_string(point);
  }
  if (point <= 0) {
    return sign + "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  }
  const auto whole = static_cast<std::size_t>(point);
  if (digits.size() <= whole) {
    return sign + digits + std::string(whole - digits.size(), '0');
  }
  return sign + digits.substr(0, whole) + "." + digits.substr(whole);
}

std::string rough_text(const Number& number) {
  char* text = nullptr;
  if (mpfr_asprintf(&text, "%.10Rg", number.get()) < 0) {
    throw std::bad_alloc();
  }
  std::string result = text;
  mpfr_free_str(text);
  return result;
}

bool is_whole(const Number& number) { return mpfr_integer_p(number.get()) != 0; }

bool is_infinite(const Number& number) { return mpfr_inf_p(number.get()) != 0; }

bool is_negative(const Number& number) { return mpfr_signbit(number.get()) != 0; }

std::optional<std::int64_t> to_int64(const Number& number) {
  if (!is_whole(number) || !mpfr_fits_slong_p(number.get(), MPFR_RNDZ)) {
    return std::nullopt;
  }
  return mpfr_get_si(number.get(), MPFR_RNDZ);
}

double to_double(const Number& number) { return mpfr_get_d(number.get(), MPFR_RNDN); }

int compare(const Number& a, const Number& b) { return mpfr_cmp(a.get(), b.get()); }

Number add(const Number& a, const Number& b) {
  return with_result(common_precision(a, b), [&](mpfr_ptr r) { mpfr_add(r, a.get(), b.get(), MPFR_RNDN); });
}

Number subtract(const Number& a, const Number& b) {
  return with_result(common_precision(a, b), [&](mpfr_ptr r) { mpfr_sub(r, a.get(), b.get(), MPFR_RNDN); });
}

Number multiply(const Number& a, const Number& b) {
  return with_result(common_precision(a, b), [&](mpfr_ptr r) { mpfr_mul(r, a.get(), b.get(), MPFR_RNDN); });
}

Number divide(const Number& a, const Number& b) {
  return with_result(common_precision(a, b), [&](mpfr_ptr r) { mpfr_div(r, a.get(), b.get(), MPFR_RNDN); });
}

bool is_defined(const Number& number) { return mpfr_nan_p(number.get()) == 0; }

Number modulo(const Number& a, const Number& b) {
  if (mpfr_zero_p(b.get()) != 0) {
    return a;
  }
  const Number quotient = truncate(divide(a, b));
  return subtract(a, multiply(quotient, b));
}

Number negate(const Number& a) {
  Number result = a;
  mpfr_neg(result.raw(), result.get(), MPFR_RNDN);
  return result;
}

Number absolute(const Number& a) {
  Number result = a;
  mpfr_abs(result.raw(), result.get(), MPFR_RNDN);
  return result;
}

Number truncate(const Number& a) {
  Number result = a;
  mpfr_trunc(result.raw(), result.get());
  return result;
}

Number floor(const Number& a) {
  Number result = a;
  mpfr_floor(result.raw(), result.get());
  return result;
}

Number ceiling(const Number& a) {
  Number result = a;
  mpfr_ceil(result.raw(), result.get());
  return result;
}

}  // namespace mbuild::bake::hcl
