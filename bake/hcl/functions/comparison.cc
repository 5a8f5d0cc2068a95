#include "bake/hcl/functions/table.h"

namespace mbuild::bake::hcl {

namespace {

void define_order(Table& table, std::string_view name, bool (*holds)(int order)) {
  define(table, name, {number("a"), number("b")}, [holds](Arguments arguments) {
    return bool_value(holds(compare(as_number(arguments[0]), as_number(arguments[1]))));
  });
}

void define_equality(Table& table, std::string_view name, bool wanted) {
  define(table, name, {any_or_null("a"), any_or_null("b")},
         [wanted](Arguments arguments) { return bool_value(equal(arguments[0], arguments[1]) == wanted); });
}

}  // namespace

void add_comparison(Table& table) {
  define_equality(table, "equal", true);
  define_equality(table, "notequal", false);
  define_order(table, "greaterthan", [](int order) { return order > 0; });
  define_order(table, "greaterthanorequalto", [](int order) { return order >= 0; });
  define_order(table, "lessthan", [](int order) { return order < 0; });
  define_order(table, "lessthanorequalto", [](int order) { return order <= 0; });
  define(table, "and", {boolean("a"), boolean("b")},
         [](Arguments arguments) { return bool_value(as_bool(arguments[0]) && as_bool(arguments[1])); });
  define(table, "or", {boolean("a"), boolean("b")},
         [](Arguments arguments) { return bool_value(as_bool(arguments[0]) || as_bool(arguments[1])); });
  define(table, "not", {boolean("val")}, [](Arguments arguments) { return bool_value(!as_bool(arguments[0])); });
}

}  // namespace mbuild::bake::hcl
