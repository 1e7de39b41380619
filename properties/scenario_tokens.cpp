#include "properties/scenario_tokens.h"

#include "engine/row.h"

#include <algorithm>
#include <array>

namespace powercut::properties {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

constexpr std::array<std::string_view, 3> kLongSigns{"<>", "<=", ">="};

// How long the token at the front is.
std::size_t length_of(std::string_view rest, Tokens::Token& token) {
  const auto run = [&](auto belongs) {
    return static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), belongs) - rest.begin());
  };
  if (is_letter(rest[0])) {
    token.kind = Tokens::Kind::kWord;
    return run([](char c) { return is_letter(c) || is_digit(c); });
  }
  if (is_digit(rest[0])) {
    token.kind = Tokens::Kind::kNumber;
    const std::size_t length = run(is_digit);
    for (const char digit : rest.substr(0, length)) {
      token.number = std::min(token.number * 10 + (digit - '0'), kMostScenarioNumber + 1);
    }
    if (token.number > kMostScenarioNumber) {
      token.kind = Tokens::Kind::kBroken;
      token.text = "a number up to " + std::to_string(kMostScenarioNumber);
    }
    return length;
  }
  if (rest[0] == '\'') {
    token.kind = Tokens::Kind::kText;
    for (std::size_t at = 1; at < rest.size(); ++at) {
      if (rest[at] == '\'') {
        if (at + 1 == rest.size() || rest[at + 1] != '\'') return at + 1;
        ++at;
      }
      token.text += rest[at];
    }
    token.kind = Tokens::Kind::kBroken;
    token.text = "a quote that ends the text";
    return rest.size();
  }
  token.kind = Tokens::Kind::kSign;
  return std::find(kLongSigns.begin(), kLongSigns.end(), rest.substr(0, 2)) == kLongSigns.end() ? 1 : 2;
}

}  // namespace

Tokens::Tokens(std::string_view line, std::uint32_t number, std::string_view name) : line_(line), number_(number), name_(name) {
  std::size_t at = 0;
  for (;;) {
    while (at < line.size() && is_space(line[at])) ++at;
    Token& token = tokens_.emplace_back();
    token.column = static_cast<std::uint32_t>(at + 1);
    if (at == line.size() || line[at] == '#') break;
    token.source = line.substr(at, length_of(line.substr(at), token));
    at += token.source.size();
  }
}

bool Tokens::skip_if(std::string_view word) {
  if (!is(word)) return false;
  skip();
  return true;
}

bool Tokens::skip_all_if(std::string_view words) {
  const std::size_t before = at_;
  while (!words.empty()) {
    const std::size_t length = std::min(words.find(' '), words.size());
    if (!skip_if(words.substr(0, length))) {
      at_ = before;
      return false;
    }
    words.remove_prefix(std::min(words.size(), length + 1));
  }
  return true;
}

Result<void> Tokens::must_be(std::string_view word) {
  if (skip_if(word)) return success();
  return expected("'" + std::string(word) + "'");
}

Result<void> Tokens::must_end() {
  if (at_end()) return success();
  return expected("the end of the line");
}

Result<std::string> Tokens::name_of(std::string_view what) {
  if (next().kind != Kind::kWord) return expected(what);
  if (next().source.size() > kMostScenarioNameBytes) {
    return expected(std::string(what) + " of at most " + std::to_string(kMostScenarioNameBytes) + " letters");
  }
  std::string name(next().source);
  skip();
  return name;
}

Result<std::int64_t> Tokens::number(std::string_view what, std::int64_t least, std::int64_t most) {
  const std::size_t before = at_;
  const bool negative = least < 0 && skip_if("-");
  const std::int64_t number = negative ? -next().number : next().number;
  if (next().kind == Kind::kNumber && number >= least && number <= most) {
    skip();
    return number;
  }
  if (next().kind == Kind::kBroken) return expected(what);
  at_ = before;
  return expected(std::string(what) + " from " + std::to_string(least) + " to " + std::to_string(most));
}

Result<std::string> Tokens::raw(std::string_view what) {
  if (at_end()) return expected(what);
  const std::size_t from = next().column - 1;
  const auto* const end =
      std::find_if(line_.begin() + static_cast<std::ptrdiff_t>(from), line_.end(), [](char c) { return is_space(c) || c == '#'; });
  const auto to = static_cast<std::size_t>(end - line_.begin());
  while (!at_end() && next().column - 1 < to) skip();
  return std::string(line_.substr(from, to - from));
}

Error Tokens::expected(std::string_view what) const {
  const Token& found = next();
  const std::string shown = found.kind == Kind::kEnd ? "the end of the line" : "'" + engine::bytes_text(found.source) + "'";
  return at(place(), "expected " + (found.kind == Kind::kBroken ? found.text : std::string(what)) + ", found " + shown);
}

Error Tokens::at(TextPlace place, std::string_view what) const {
  return {ErrorCode::kInvalidArgument,
          std::string(name_) + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": " + std::string(what)};
}

std::string_view Tokens::since(std::size_t mark) const {
  if (mark == at_) return {};
  const std::size_t from = tokens_[mark].column - 1;
  const Token& last = tokens_[at_ - 1];
  return line_.substr(from, last.column - 1 + last.source.size() - from);
}

}  // namespace powercut::properties
