#pragma once

#include <optional>
#include <string_view>

#include "bake/hcl/source.h"

// Native syntax, token by token. Quoted strings and heredocs are but begun here: what is in them is a template.
namespace mbuild::bake::hcl {

enum class TokenKind { end, newline, identifier, number, quote, heredoc, punctuation };

struct Token {
  TokenKind kind = TokenKind::end;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string_view text;

  bool is(std::string_view punctuation) const { return kind == TokenKind::punctuation && text == punctuation; }
};

// Text and how places in it become ranges: those of the source, or one range for all where the text was quoted there.
struct Text {
  const Source* source = nullptr;
  std::string_view text;
  std::optional<Range> within;

  Range range(std::size_t begin, std::size_t end) const {
    return within ? *within : Range{source, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  }
};

// The token at `offset` or after the blanks and comments there. Throws Failure for what is none.
Token next_token(const Text& text, std::size_t offset);

}  // namespace mbuild::bake::hcl
