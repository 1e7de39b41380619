// The powercut program, run by tests. POWERCUT_PROGRAM is its path.
#pragma once

#include "tests/support/temporary_directory.h"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace powercut::testing {

struct Ended {
  int status = -1;
  std::string out;
  std::string error;
};

inline std::string file_text(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Runs the program with a shell, in a directory of its own.
struct Program {
  Ended run(const std::string& arguments) const {
    const std::string command = "cd " + directory.path() + " && " POWERCUT_PROGRAM " " + arguments + " >out.txt 2>error.txt";
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), file_text(directory.path() + "/out.txt"), file_text(directory.path() + "/error.txt")};
  }
  std::string shell(const std::string& command) const {
    REQUIRE(std::system(("cd " + directory.path() + " && " + command).c_str()) == 0);
    return {};
  }
  TemporaryDirectory directory;
};

}  // namespace powercut::testing
