// A directory of the host for one test, removed at its end.
#pragma once

#include "faultfs/scratch_directory.h"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

namespace powercut::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : TemporaryDirectory(std::filesystem::temp_directory_path()) {}
  explicit TemporaryDirectory(const std::filesystem::path& parent) : made_(made_in(parent.string())) {}
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return made_.path(); }

 private:
  static faultfs::ScratchDirectory made_in(const std::string& parent) {
    auto made = faultfs::ScratchDirectory::make(parent);
    INFO((made.has_error() ? made.error().message() : ""));
    REQUIRE(made.has_value());
    return std::move(made).value();
  }

  faultfs::ScratchDirectory made_;
};

}  // namespace powercut::testing
