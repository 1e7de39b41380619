// One line of a scenario as words, numbers, texts in quotes and signs, and the words for what was expected instead.
#pragma once

#include "faultfs/result.h"
#include "properties/scenario.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

class Tokens {
 public:
  enum class Kind : unsigned char { kEnd, kWord, kNumber, kText, kSign, kBroken };

  struct Token {
    Kind kind = Kind::kEnd;
    std::string_view source;
    std::uint32_t column = 1;
    std::int64_t number = 0;  // kNumber, without a sign
    std::string text;         // kText: what is between the quotes; kBroken: what was expected
  };

  // The line must outlive it. `name` of the file, for messages.
  Tokens(std::string_view line, std::uint32_t number, std::string_view name);

  const Token& next() const { return tokens_[at_]; }
  bool at_end() const { return next().kind == Kind::kEnd; }
  // Whether the next one is this word or sign.
  bool is(std::string_view word) const { return next().source == word && next().kind != Kind::kText; }
  TextPlace place() const { return {number_, next().column}; }
  void skip() { at_ += at_end() ? 0 : 1; }
  bool skip_if(std::string_view word);
  // The same for several words in a row: all or none.
  bool skip_all_if(std::string_view words);

  // What must come next; `what` for the message.
  Result<void> must_be(std::string_view word);
  Result<void> must_end();
  Result<std::string> name_of(std::string_view what);
  Result<std::int64_t> number(std::string_view what, std::int64_t least, std::int64_t most);
  // All up to white space, whatever it is.
  Result<std::string> raw(std::string_view what);

  // "NAME:LINE:COLUMN: expected <what>, found '…'".
  Error expected(std::string_view what) const;
  Error at(TextPlace place, std::string_view what) const;

  // Marks a place, and gives what is written from there up to here.
  std::size_t mark() const { return at_; }
  std::string_view since(std::size_t mark) const;

 private:
  std::string_view line_;
  std::uint32_t number_;
  std::string_view name_;
  std::vector<Token> tokens_;  // the last is the end
  std::size_t at_ = 0;
};

}  // namespace powercut::properties
