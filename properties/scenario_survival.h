// What a scenario's crash keeps, and the words for it.
//
// A crash keeps only what the persistence model guarantees, unless the scenario says otherwise: of each question about what
// survived the answer is the oldest, for a file that is to be lost, or the newest.
#pragma once

#include "faultfs/choices.h"
#include "faultfs/sim_disk.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace powercut::properties {

struct Survival {
  bool all_lost = true;
  std::vector<std::string> lost;  // files, by name or path; everything else is kept, unless all is lost
};

class SurvivalChoices final : public faultfs::Choices {
 public:
  // Of the disk that crashed, which must outlive it.
  SurvivalChoices(const faultfs::SimDisk& crashed, Survival survival) : crashed_(crashed), survival_(std::move(survival)) {}

 private:
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& label) override;

  const faultfs::SimDisk& crashed_;
  Survival survival_;
  std::map<faultfs::InodeId, bool> known_;  // whether the file is to be lost
};

// Changes by file: "db/data [0, 512), its size", in the order in which files first came.
class ChangeText {
 public:
  explicit ChangeText(std::uint32_t atom_bytes) : atom_bytes_(atom_bytes) {}

  void add(const std::string& path, faultfs::ChainKind kind, std::uint64_t index, std::string_view name);
  std::vector<std::string> lines() const;

 private:
  struct File {
    std::string path;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> atoms;  // from, to
    bool size = false;
    std::vector<std::string> names;
  };

  std::uint32_t atom_bytes_;
  std::vector<File> files_;
};

// What a crash of the disk now may undo.
std::vector<std::string> pending_text(const faultfs::SimDisk& disk);

// The error that a file which is to be lost has nothing that may be; nothing if each has.
std::string unknown_lost(const faultfs::SimDisk& crashed, const Survival& survival);

}  // namespace powercut::properties
