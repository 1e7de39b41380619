#include "faultfs/fault.h"

#include <array>
#include <string>

namespace powercut::faultfs {
namespace {

constexpr std::array<FaultInfo, 11> kFaults{{
    {"read-error", "EIO on a read", FaultClass::kReported, true, true},
    {"write-error", "EIO on a write, part of which may have happened", FaultClass::kReported, true, true},
    {"failed-sync", "EIO on a sync, after which the kernel forgets what was to be written", FaultClass::kReported, true, true},
    {"full-disk", "ENOSPC on everything that needs space, until some is freed", FaultClass::kReported, true, true},
    {"short-read", "a read returns fewer bytes than asked", FaultClass::kInvisible, true, true},
    {"short-write", "a write takes fewer bytes than given", FaultClass::kInvisible, true, true},
    {"lying-sync", "a sync answers success and does nothing", FaultClass::kSilent, true, false},
    {"lost-write", "a write answers success and never reaches the disk", FaultClass::kSilent, true, false},
    {"misdirected-write", "a write lands 4096 bytes from where it should", FaultClass::kSilent, true, false},
    {"sector-error", "512 bytes cannot be read until they are written again", FaultClass::kMedia, false, true},
    {"bit-rot", "a bit reads wrong until it is written again", FaultClass::kMedia, false, true},
}};

}  // namespace

std::span<const FaultInfo> fault_kinds() { return kFaults; }

const FaultInfo& info(FaultKind kind) { return kFaults[static_cast<std::size_t>(kind)]; }

Result<FaultKind> fault_kind(std::string_view name) {
  std::string message = "no fault is called '" + std::string(name) + "'; there are:";
  for (std::size_t at = 0; at < kFaults.size(); ++at) {
    if (kFaults[at].name == name) return static_cast<FaultKind>(at);
    message.append(" ").append(kFaults[at].name);
  }
  return Error(ErrorCode::kInvalidArgument, message);
}

}  // namespace powercut::faultfs
