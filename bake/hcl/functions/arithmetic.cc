#include <gmp.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

Value defined(const Number& number) {
  if (!is_defined(number)) {
    throw CallError("the result is not defined");
  }
  return number_value(number);
}

void define_binary(Table& table, std::string_view name, Number (*operation)(const Number&, const Number&)) {
  define(table, name, {number("a"), number("b")}, [operation](Arguments arguments) {
    return defined(operation(as_number(arguments[0]), as_number(arguments[1])));
  });
}

void define_unary(Table& table, std::string_view name, Number (*operation)(const Number&)) {
  define(table, name, {number("num")},
         [operation](Arguments arguments) { return number_value(operation(as_number(arguments[0]))); });
}

// To a whole number, of which 0 has no sign.
void define_rounding(Table& table, std::string_view name, Number (*operation)(const Number&)) {
  define(table, name, {number("num")}, [operation](Arguments arguments) {
    const Number whole = operation(as_number(arguments[0]));
    return number_value(compare(whole, Number(0)) == 0 ? Number(0) : whole);
  });
}

// By squares, as the field has it: so the result of a whole exponent is the same to the last bit.
double power(double base, double exponent) {
  constexpr double k_most = 1LL << 32;
  if (exponent != std::trunc(exponent) || std::abs(exponent) > k_most || !std::isfinite(base) || base == 0) {
    return std::pow(base, exponent);
  }
  int scale = 0;  // result x 2^scale, so that no square overflows
  int shift = 0;
  double result = 1;
  double square = std::frexp(base, &shift);
  for (auto rest = static_cast<std::int64_t>(std::abs(exponent)); rest != 0; rest >>= 1) {
    if (std::abs(shift) > 1 << 12) {
      scale += shift;
      break;
    }
    if ((rest & 1) != 0) {
      result *= square;
      scale += shift;
    }
    square *= square;
    shift *= 2;
    if (square < 0.5) {
      square += square;
      --shift;
    }
  }
  return exponent < 0 ? std::ldexp(1 / result, -scale) : std::ldexp(result, scale);
}

// In doubles, as the field computes these.
void define_double(Table& table, std::string_view name, std::string second, double (*operation)(double, double)) {
  define(table, name, {number("num"), number(std::move(second))}, [operation](Arguments arguments) {
    return defined(
        Number::of_double(operation(to_double(as_number(arguments[0])), to_double(as_number(arguments[1])))));
  });
}

// To a whole number without what is after its point, which infinity has not.
Value whole_part(Arguments arguments) {
  const Number whole = truncate(as_number(arguments[0]));
  if (is_infinite(whole)) {
    throw CallError("infinity is no whole number", 0);
  }
  return number_value(compare(whole, Number(0)) == 0 ? Number(0) : whole);
}

double logarithm(double number, double base) { return std::log(number) / std::log(base); }

void define_extreme(Table& table, std::string_view name, int sign) {
  define_variadic(table, name, {}, number("numbers"), [sign](Arguments arguments) {
    if (arguments.empty()) {
      throw CallError("at least one number is required");
    }
    return *std::max_element(arguments.begin(), arguments.end(), [sign](const Value& a, const Value& b) {
      return sign * compare(as_number(a), as_number(b)) < 0;
    });
  });
}

// The digit's value: 0-9, a-z, then, in bases above 36, A-Z.
int digit_value(char c, std::int64_t base) {
  const auto byte = static_cast<unsigned char>(c);
  if (std::isdigit(byte)) {
    return c - '0';
  }
  if (std::islower(byte)) {
    return c - 'a' + 10;
  }
  return std::isupper(byte) ? c - 'A' + (base > 36 ? 36 : 10) : 99;
}

Number parse_integer(std::string_view digits, std::int64_t base) {
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) {
    digits.remove_prefix(1);
  }
  mpz_t integer;
  mpz_init(integer);
  bool good = !digits.empty();
  for (const char c : digits) {
    const int value = digit_value(c, base);
    good = good && value < base;
    mpz_mul_ui(integer, integer, static_cast<unsigned long>(base));
    mpz_add_ui(integer, integer, static_cast<unsigned long>(value));
  }
  Number result(Number::Uninitialized{static_cast<mpfr_prec_t>(std::max<std::size_t>(64, mpz_sizeinbase(integer, 2)))});
  mpfr_set_z(result.raw(), integer, MPFR_RNDN);
  mpz_clear(integer);
  if (!good) {
    throw CallError("this is no whole number of that base", 0);
  }
  return negative ? negate(result) : result;
}

Value parseint(Arguments arguments) {
  if (arguments[0].type.kind != Kind::string) {
    throw CallError("a string is required", 0);
  }
  const std::int64_t base = whole_argument(arguments, 1);
  if (base < 2 || base > 62) {
    throw CallError("a base is from 2 to 62", 1);
  }
  return number_value(parse_integer(as_string(arguments[0]), base));
}

Value signum(Arguments arguments) {
  const std::int64_t number = whole_argument(arguments, 0);
  return number_value(std::int64_t{number > 0} - std::int64_t{number < 0});
}

}  // namespace

void add_arithmetic(Table& table) {
  define_binary(table, "add", add);
  define_binary(table, "subtract", subtract);
  define_binary(table, "multiply", multiply);
  define_binary(table, "divide", divide);
  define_binary(table, "modulo", modulo);
  define_unary(table, "absolute", absolute);
  define_unary(table, "negate", negate);
  define_rounding(table, "ceil", ceiling);
  define_rounding(table, "floor", floor);
  define(table, "int", {number("num")}, whole_part);
  define_double(table, "log", "base", logarithm);
  define_double(table, "pow", "power", power);
  define_extreme(table, "max", 1);
  define_extreme(table, "min", -1);
  define(table, "signum", {number("num")}, signum);
  define(table, "parseint", {any("number"), number("base")}, parseint);
}

}  // namespace mbuild::bake::hcl
