// How SQLite is run: the options, the modes that they make, and what SQLite's documentation promises of each.
#pragma once

#include "engine/engine.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::engine::sqlite {

enum class Journal : unsigned char { kDelete, kTruncate, kPersist, kWal };
enum class Synchronous : unsigned char { kOff, kNormal, kFull, kExtra };

struct Settings {
  Journal journal = Journal::kWal;
  Synchronous synchronous = Synchronous::kFull;
  bool powersafe_overwrite = true;
  std::string pragmas;  // that a connection begins with

  // kInvalidArgument, with what there is.
  static Result<Settings> from(std::span<const Option> options);
  Guarantee guarantee(const faultfs::PersistenceModel& model) const;
};

std::span<const Tunable> tunables();
std::vector<Mode> modes();

}  // namespace powercut::engine::sqlite
