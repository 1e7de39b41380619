// docs/TESTING_YOUR_ENGINE.md: its files are those of this folder, and whoever follows it gets what it shows.
#include "tests/support/temporary_directory.h"
#include "tests/tutorial/page.h"

#include <sys/wait.h>

#include <fstream>
#include <map>
#include <sstream>

namespace powercut::testing {
namespace {

constexpr int kStages = 3;

std::string file_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::vector<Block> page() {
  const std::string text = file_text(POWERCUT_SOURCE "/docs/TESTING_YOUR_ENGINE.md");
  REQUIRE(!text.empty());
  return blocks_of(text);
}

// The store as the page has it first, and after each change.
std::string stage(int number) { return file_text(POWERCUT_SOURCE "/tests/tutorial/stage" + std::to_string(number) + "/store.cpp"); }

// The files of a directory, as a reader of the page makes them.
class Reader {
 public:
  explicit Reader(std::string directory) : directory_(std::move(directory)) {}

  void follow(const Block& block) {
    INFO("docs/TESTING_YOUR_ENGINE.md:" << block.line);
    switch (block.kind) {
      case Block::Kind::kFile:
        write(block.name, block.text);
        break;
      case Block::Kind::kChange:
        write(block.name, changed(files_[block.name], block.text));
        REQUIRE(!files_[block.name].empty());
        break;
      case Block::Kind::kCommands:
      case Block::Kind::kFailingCommands:
        run(block.text, block.kind == Block::Kind::kFailingCommands);
        break;
      case Block::Kind::kOutput:
        check(block.text);
        break;
    }
  }

 private:
  void write(const std::string& name, const std::string& text) {
    files_[name] = text;
    std::ofstream(directory_ + "/" + name, std::ios::binary) << text;
  }

  void run(const std::string& commands, bool fails) {
    std::ofstream(directory_ + "/../commands.sh", std::ios::binary) << "set -e\n" << commands;
    const std::string line = "cd " + directory_ + " && CMAKE_PREFIX_PATH=" + directory_ + "/../prefix" +
                             " CXX='" READERS_COMPILER "' CXXFLAGS='" READERS_FLAGS "' sh ../commands.sh >../printed.txt 2>&1";
    const int status = std::system(line.c_str());
    printed_ = file_text(directory_ + "/../printed.txt");
    INFO(commands << printed_);
    REQUIRE(WIFEXITED(status));
    REQUIRE((WEXITSTATUS(status) != 0) == fails);
  }

  void check(const std::string& shown) const {
    const Shown found = shown_in(shown, printed_);
    INFO("missing: " << found.missing << "\nin:\n" << printed_);
    REQUIRE(found.all);
  }

  std::string directory_;
  std::map<std::string, std::string> files_;
  std::string printed_;
};

}  // namespace

TEST_CASE("the files of the tutorial are those that are tested") {
  std::map<std::string, std::string> files;
  int stages = 0;
  for (const Block& block : page()) {
    INFO("docs/TESTING_YOUR_ENGINE.md:" << block.line << " " << block.name);
    if (block.kind == Block::Kind::kFile) files[block.name] = block.text;
    if (block.kind == Block::Kind::kChange) files[block.name] = changed(files[block.name], block.text);
    if (block.kind != Block::Kind::kFile && block.kind != Block::Kind::kChange) continue;
    if (block.name == "store.cpp") {
      CHECK(files[block.name] == stage(++stages));
    } else {
      CHECK(files[block.name] == file_text(POWERCUT_SOURCE "/tests/tutorial/" + block.name));
    }
  }
  CHECK(stages == kStages);
  CHECK(files.size() == 5);
}

TEST_CASE("the tutorial, followed literally in a clean directory with only the installed package, works") {
  const TemporaryDirectory place;
  const std::string install = "cmake --install '" POWERCUT_BUILD "' --prefix '" + place.path() + "/prefix' >/dev/null";
  REQUIRE(std::system(install.c_str()) == 0);
  REQUIRE(std::filesystem::create_directory(place.path() + "/mystore"));
  Reader reader(place.path() + "/mystore");
  for (const Block& block : page()) reader.follow(block);
}

TEST_CASE("a block of a page is a file, a change, commands or what they print") {
  const auto blocks =
      blocks_of("text\n```cpp a.cpp\nint a;\n```\n```\nfor the eye\n```\n```sh fails\nfalse\n```\n```text\nx … z\n```\n");
  REQUIRE(blocks.size() == 3);
  CHECK(blocks[0].kind == Block::Kind::kFile);
  CHECK(blocks[0].name == "a.cpp");
  CHECK(blocks[0].text == "int a;\n");
  CHECK(blocks[1].kind == Block::Kind::kFailingCommands);
  CHECK(blocks[2].text == "x … z\n");

  CHECK(changed("a\nb\nc\n", " a\n-b\n+B\n+BB\n") == "a\nB\nBB\nc\n");
  CHECK(changed("a\nb\n", "-c\n+d\n").empty());
  CHECK(changed("a\na\n", "-a\n+b\n").empty());

  CHECK(shown_in("b\nc 1 … 3\n", "a\nb\nx\nc 1 2 3\n").all);
  CHECK(shown_in("c\nb\n", "a\nb\nc\n").missing == "b");
  CHECK(!shown_in("c 1 … 4\n", "c 1 2 3\n").all);
}

}  // namespace powercut::testing
