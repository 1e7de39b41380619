// Why a case fails: the smallest set of lost and kept writes that still fails, and what did not make the one wait for the
// other.
//
// Delta debugging over what survived. Every question that recovery asks of the disk is about a chain (an atom, a size, a
// name); the answers are kept by chain and not by position, so that changing one does not shift the others. First as few
// chains as possible stay lost, all others newest, while the case still fails with the same oracle; then, with those lost, as
// few of the others as possible stay kept, all others at their oldest. What is left is 1-minimal: to give up any one of it makes
// the failure go away. That the rest does not matter was then seen at both ends, not for all of its states.
//
// Sessions side by side fail for another reason as well: one saw of another what its level forbids. No write is to blame then, and
// the statements of those transactions are told instead.
#pragma once

#include "faultfs/sim_disk.h"
#include "properties/case.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace powercut::properties {

// One operation, or the part of it that was lost or kept.
struct BlamedChange {
  faultfs::ChainKind kind = faultfs::ChainKind::kAtom;
  std::uint32_t recovery = 0;   // 0: of the workload; else of the so-manieth recovery, whose operations are numbered anew
  std::uint32_t operation = 0;  // its number; 0: what was there before
  std::string path;             // of the file, or of the directory that holds the name
  std::string name;             // kName
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;  // kAtom: the bytes of the operation, from and to
  bool garbage = false;                                         // garbage is there instead
  std::string what;                                             // the operation in words: "write db/data [0, 4096)"
  std::string source;                                           // where in the engine it was issued
};

struct Blame {
  enum class Kind : unsigned char {
    kPowerOn,    // no crash is needed
    kAnomaly,    // transactions saw of each other what their levels forbid: the disk is not to blame
    kRecovery,   // it fails although nothing was lost
    kUnwritten,  // it fails although nothing was lost: what was acknowledged had not been written
    kTooEarly,   // it fails although nothing was lost, once what is in `kept` reached the disk
    kLost,       // `lost` is enough
    kTorn,       // operations of which a part was lost and a part kept
    kOrder,      // what is in `kept` reached the disk without what is in `lost`
  };
  Kind kind = Kind::kRecovery;
  std::vector<BlamedChange> lost;
  std::vector<BlamedChange> kept;
  std::string sentence;              // all of it, in plain words
  std::string missing;               // of it: which sync is missing, if one is
  std::vector<std::string> context;  // the operations around it, with their source lines
  // Of sessions side by side: what those that it is about did (kAnomaly, kPowerOn), and whose turn it was.
  std::vector<std::string> statements;
  std::string turns;
  bool minimal = true;           // false if the work was cut short
  std::uint64_t recoveries = 0;  // that it took
};

std::string_view to_string(Blame::Kind kind);

// At most so many recoveries are made.
inline constexpr std::uint64_t kBlameRecoveries = 5'000;

// kInvalidArgument if the engine refuses the case's options or the case does not fail.
Result<Blame> blame(const Case& failing);

}  // namespace powercut::properties
