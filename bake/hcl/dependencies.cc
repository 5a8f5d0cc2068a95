#include <algorithm>

#include "bake/hcl/parse.h"

namespace mbuild::bake::hcl {

namespace {

// A walk over all expressions, with the names that loops around them define.
struct Walk {
  std::vector<const Traversal*> traversals;
  std::vector<const Call*> calls;
  std::vector<std::string> hidden;

  void visit(const ExpressionPtr& expression) {
    if (expression) {
      visit(*expression);
    }
  }
  void visit(const Expression& expression) {
    std::visit([this](const auto& form) { visit_form(form); }, expression.form);
  }
  void visit_all(const std::vector<ExpressionPtr>& expressions) {
    for (const ExpressionPtr& each : expressions) {
      visit(each);
    }
  }

  void visit_form(const Literal&) {}
  void visit_form(const SplatElement&) {}
  void visit_form(const Traversal& form) {
    if (std::find(hidden.begin(), hidden.end(), form.root) == hidden.end()) {
      traversals.push_back(&form);
    }
  }
  void visit_form(const RelativeTraversal& form) { visit(form.object); }
  void visit_form(const Unary& form) { visit(form.operand); }
  void visit_form(const Tuple& form) { visit_all(form.items); }
  void visit_form(const Template& form) { visit_all(form.parts); }
  void visit_form(const Wrapped& form) { visit(form.expression); }
  void visit_form(const Parentheses& form) { visit(form.expression); }
  void visit_form(const TemplateFor& form) { visit(form.loop); }
  void visit_form(const JsonString& form) { visit(form.form); }
  void visit_form(const Index& form) {
    visit(form.object);
    visit(form.key);
  }
  void visit_form(const Splat& form) {
    visit(form.object);
    visit(form.each);
  }
  void visit_form(const Binary& form) {
    visit(form.left);
    visit(form.right);
  }
  void visit_form(const Conditional& form) {
    visit(form.condition);
    visit(form.yes);
    visit(form.no);
  }
  void visit_form(const Call& form) {
    calls.push_back(&form);
    // The type that convert() is given has names, but they stand for nothing.
    const bool converts = form.name == "convert" && form.arguments.size() == 2;
    converts ? visit(form.arguments[0]) : visit_all(form.arguments);
  }
  void visit_form(const Object& form) {
    for (const ObjectItem& item : form.items) {
      visit(item.key);
      visit(item.value);
    }
  }
  void visit_form(const For& form) {
    visit(form.collection);
    const std::size_t before = hidden.size();
    hidden.push_back(form.key_name);
    hidden.push_back(form.value_name);
    visit(form.key);
    visit(form.value);
    visit(form.condition);
    hidden.resize(before);
  }
};

}  // namespace

std::vector<const Traversal*> traversals(const Expression& expression) {
  Walk walk;
  walk.visit(expression);
  return std::move(walk.traversals);
}

std::vector<const Call*> calls(const Expression& expression) {
  Walk walk;
  walk.visit(expression);
  return std::move(walk.calls);
}

}  // namespace mbuild::bake::hcl
