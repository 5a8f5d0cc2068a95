#include <gmp.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "bake/hcl/number.h"

// The shortest decimal digits that read back as the same binary number. The number, and the two middles between it and
// its neighbours, are written as whole numbers of one power of ten; the digits that all three begin with are needed,
// and of those that follow so many as tell the number from its neighbours: rounded down if that stays above the lower
// middle, up if it stays below the upper one.
namespace mbuild::bake::hcl {

namespace {

// A whole number of GMP.
struct Integer {
  Integer() { mpz_init(value); }
  ~Integer() { mpz_clear(value); }
  Integer(const Integer&) = delete;
  Integer& operator=(const Integer&) = delete;

  mpz_t value;
};

std::string digits_of(const Integer& number) {
  char* text = mpz_get_str(nullptr, 10, number.value);
  std::string result = text;
  std::free(text);
  return result;
}

// Three numbers as digits of equal length; the point stands after `point` of them.
struct Bounds {
  std::string lower;
  std::string exact;
  std::string upper;
  long point = 0;
  bool inclusive = false;  // the middles read back as the number itself (it is even)
};

// number = significand x 2^exponent, exactly; the significand has as many bits as the precision.
Bounds bounds_of(const Number& number) {
  Integer significand;
  long exponent = mpfr_get_z_2exp(significand.value, number.get());
  mpz_abs(significand.value, significand.value);
  Bounds bounds;
  bounds.inclusive = mpz_even_p(significand.value) != 0;
  const bool power_of_two = mpz_popcount(significand.value) == 1;
  // In quarters of the last bit, so that half a bit (a quarter below a power of two) is whole.
  mpz_mul_2exp(significand.value, significand.value, 2);
  exponent -= 2;
  Integer lower;
  Integer upper;
  mpz_sub_ui(lower.value, significand.value, power_of_two ? 1 : 2);
  mpz_add_ui(upper.value, significand.value, 2);
  for (Integer* each : {&lower, &significand, &upper}) {
    if (exponent >= 0) {
      mpz_mul_2exp(each->value, each->value, static_cast<mp_bitcnt_t>(exponent));
    } else {  // x / 2^n = x * 5^n / 10^n
      Integer power;
      mpz_ui_pow_ui(power.value, 5, static_cast<unsigned long>(-exponent));
      mpz_mul(each->value, each->value, power.value);
    }
  }
  bounds.lower = digits_of(lower);
  bounds.exact = digits_of(significand);
  bounds.upper = digits_of(upper);
  const std::size_t length = bounds.upper.size();
  for (std::string* each : {&bounds.lower, &bounds.exact}) {
    each->insert(0, length - each->size(), '0');
  }
  bounds.point = static_cast<long>(length) - (exponent < 0 ? -exponent : 0);
  return bounds;
}

// One more in the last digit; a carry out of the first makes it longer.
void increment(std::string& digits, long& point) {
  for (std::size_t i = digits.size(); i-- > 0;) {
    if (digits[i] != '9') {
      ++digits[i];
      return;
    }
    digits[i] = '0';
  }
  digits.insert(0, 1, '1');
  ++point;
}

void strip_zeros(Digits& result) {
  const std::size_t first = result.digits.find_first_not_of('0');
  if (first == std::string::npos) {
    result = {};
    return;
  }
  result.digits.erase(0, first);
  result.point -= static_cast<long>(first);
  result.digits.erase(result.digits.find_last_not_of('0') + 1);
}

// What stands after `i` is more than half of the last digit kept, or half and that digit is odd.
bool rounds_up(const std::string& digits, std::size_t i) {
  if (i + 1 >= digits.size() || digits[i + 1] < '5') {
    return false;
  }
  if (digits[i + 1] > '5' || digits.find_first_not_of('0', i + 2) != std::string::npos) {
    return true;
  }
  return (digits[i] - '0') % 2 != 0;
}

// The number of digits with their trailing zeros left out.
std::size_t significant(const std::string& digits) { return digits.find_last_not_of('0') + 1; }

// Of numbers beyond 2 to this power, the exact digits would fill the memory.
constexpr long k_exact_bits = 1L << 22;

// As many digits as any number of the precision needs.
Digits rounded_digits(const Number& number) {
  mpfr_exp_t point = 0;
  char* text = mpfr_get_str(nullptr, &point, 10, 0, number.get(), MPFR_RNDN);
  Digits result{text + (text[0] == '-' ? 1 : 0), point};
  mpfr_free_str(text);
  strip_zeros(result);
  return result;
}

}  // namespace

Digits shortest_digits(const Number& number) {
  if (mpfr_zero_p(number.get()) != 0) {
    return {};
  }
  if (std::labs(mpfr_get_exp(number.get())) > k_exact_bits) {
    return rounded_digits(number);
  }
  const Bounds bounds = bounds_of(number);
  const auto& [lower, exact, upper, point, inclusive] = bounds;
  const std::size_t lower_size = significant(lower);
  const std::size_t upper_size = significant(upper);
  Digits result{exact, point};
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const bool down = lower[i] != exact[i] || (inclusive && i + 1 == lower_size);
    const bool up = exact[i] != upper[i] && (inclusive || exact[i] + 1 < upper[i] || i + 1 < upper_size);
    if (down || up) {
      result.digits.resize(i + 1);
      if (up && (!down || rounds_up(exact, i))) {
        increment(result.digits, result.point);
      }
      break;
    }
  }
  strip_zeros(result);
  return result;
}

}  // namespace mbuild::bake::hcl
