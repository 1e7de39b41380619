// docs/TESTING_YOUR_ENGINE.md as what its reader does: the fenced blocks of the page, in order, in a directory.
//
//   ```cpp store.cpp       a file, by its name (any language); also a further version of one that is there
//   ```diff store.cpp      a change of it: lines that are taken away or stay are there once, one after another
//   ```sh                  commands, which succeed; "```sh fails": the last of them does not
//   ```text                what the commands before it print: these lines in this order, perhaps with others, "…" for anything or
//   nothing
//
// Other blocks are for the eye only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace powercut::testing {

struct Block {
  enum class Kind : unsigned char { kFile, kChange, kCommands, kFailingCommands, kOutput };
  Kind kind = Kind::kFile;
  std::string name;  // of the file
  std::string text;
  std::size_t line = 0;  // in the page, from 1
};

std::vector<Block> blocks_of(std::string_view page);

// The file after the change; empty if what is to be changed is not there, or more than once.
std::string changed(const std::string& file, std::string_view change);

// Whether the lines of `shown` that are not empty come one after another in `printed`; else the first that does not.
struct Shown {
  bool all = true;
  std::string missing;
};
Shown shown_in(std::string_view shown, std::string_view printed);

}  // namespace powercut::testing
