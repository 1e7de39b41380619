#include "tools/measure/work.h"

#include "faultfs/random.h"

#include <algorithm>

namespace powercut::measure {

EightBytes to_bytes(std::uint64_t number) {
  EightBytes bytes{};
  for (std::size_t at = bytes.size(); at > 0; --at) {
    bytes[at - 1] = static_cast<char>(number & 0xffU);
    number >>= 8U;
  }
  return bytes;
}

Result<std::uint64_t> to_number(std::string_view bytes) {
  if (bytes.size() < sizeof(EightBytes)) return Error(ErrorCode::kCorrupt, "a number of fewer than 8 bytes");
  std::uint64_t number = 0;
  for (const char byte : bytes.substr(0, sizeof(EightBytes))) number = (number << 8U) | static_cast<unsigned char>(byte);
  return number;
}

std::string first_value(Workload workload, std::uint64_t row) {
  if (workload == Workload::kTransfer) return std::string(view(to_bytes(kFirstBalance)));
  Random random(row);
  std::string value(kRecordBytes, ' ');
  for (char& byte : value) byte = static_cast<char>(random.next() & 0xffU);
  return value;
}

Result<Balances> balances_after(const Transfer& transfer, std::string_view from, std::string_view to) {
  POWERCUT_TRY(const std::uint64_t of_from, to_number(from));
  POWERCUT_TRY(const std::uint64_t of_to, to_number(to));
  const std::uint64_t amount = std::min(static_cast<std::uint64_t>(transfer.most), of_from);
  return Balances{to_bytes(of_from - amount), to_bytes(of_to + amount)};
}

}  // namespace powercut::measure
