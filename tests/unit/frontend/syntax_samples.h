#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "frontend/dockerfile/syntax.h"
#include "tests/catch.h"

// Short ways to a parsed file and to the message of a refusal.
namespace samples {

inline mbuild::frontend::dockerfile::Dockerfile parse(std::string_view text) {
  return mbuild::frontend::dockerfile::parse_dockerfile(text, "Dockerfile");
}

// The first instruction of the first stage, given "FROM scratch" before it.
template <typename Body>
Body only(std::string_view instruction, std::string_view head = "") {
  const auto file = parse(std::string(head) + "FROM scratch\n" + std::string(instruction) + "\n");
  REQUIRE(file.stages.size() == 1);
  REQUIRE(file.stages[0].instructions.size() == 1);
  const auto* body = std::get_if<Body>(&file.stages[0].instructions[0].body);
  REQUIRE(body != nullptr);
  return *body;
}

// What `act` throws, as a message; "" when it throws nothing.
template <typename Act>
std::string message_of(Act act) {
  try {
    act();
  } catch (const mbuild::Error& error) {
    return error.what();
  }
  return "";
}

inline std::string parse_error(std::string_view text) {
  return message_of([&] { parse(text); });
}

// The error of an instruction on line 2, without the words in front.
inline std::string instruction_error(std::string_view instruction) {
  const auto message = parse_error("FROM scratch\n" + std::string(instruction) + "\n");
  constexpr std::string_view k_head = "dockerfile parse error on line 2: ";
  return message.starts_with(k_head) ? message.substr(k_head.size()) : message;
}

}  // namespace samples
