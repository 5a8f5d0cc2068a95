#pragma once

#include <mpfr.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Numbers of the language: binary floats with a precision of their own, 512 bits for what a definition states. A result
// has the higher precision of its operands and is rounded to nearest even.
namespace mbuild::bake::hcl {

class Number {
 public:
  Number() : Number(std::int64_t{0}) {}
  Number(std::int64_t value);             // of 64 bits; a whole number is a number without more ado
  static Number of_double(double value);  // of 53 bits
  Number(const Number& other);
  Number& operator=(const Number& other);
  ~Number();

  mpfr_srcptr get() const { return value_; }

  // A zero of this precision, to be written to by functions of MPFR.
  struct Uninitialized {
    mpfr_prec_t precision;
  };
  explicit Number(Uninitialized size);
  mpfr_ptr raw() { return value_; }

 private:
  mpfr_t value_;
};

inline constexpr mpfr_prec_t k_number_precision = 512;

// Decimal text with an optional sign, fraction and exponent (of ten after "e", of two after "p"), or infinity: "inf",
// "-Inf"; nothing for anything else.
std::optional<Number> parse_number(std::string_view text);
// Text as a double: decimal, or hexadecimal with its exponent, where "_" may stand between digits. Nothing for anything
// else, and for what is too large.
std::optional<Number> parse_double(std::string_view text);
// The shortest decimal text, without an exponent, that is this number in its precision: "1.5", "-0", "+Inf".
std::string to_text(const Number& number);
// Ten digits of it, with an exponent where that is shorter.
std::string rough_text(const Number& number);
// Its digits (no leading or trailing zeros; "" for zero) and the place of the point: 0.DIGITS x 10^point.
struct Digits {
  std::string digits;
  long point = 0;
};
Digits shortest_digits(const Number& number);

bool is_whole(const Number& number);
bool is_infinite(const Number& number);
bool is_negative(const Number& number);  // so is -0
// The whole number if it is one and fits.
std::optional<std::int64_t> to_int64(const Number& number);
double to_double(const Number& number);
int compare(const Number& a, const Number& b);

Number add(const Number& a, const Number& b);
Number subtract(const Number& a, const Number& b);
Number multiply(const Number& a, const Number& b);
Number divide(const Number& a, const Number& b);
// False for the result of 0/0, Inf/Inf, Inf-Inf or 0*Inf, which is no value of the language.
bool is_defined(const Number& number);
// a - b*trunc(a/b), which is not defined where b is infinite; a where b is zero.
Number modulo(const Number& a, const Number& b);
Number negate(const Number& a);
Number absolute(const Number& a);
Number truncate(const Number& a);
Number floor(const Number& a);
Number ceiling(const Number& a);

}  // namespace mbuild::bake::hcl
