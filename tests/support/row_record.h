// A row's log record as a string, for tests that append it themselves.
#pragma once

#include "engine/ledger/log_record.h"

#include <string>

namespace powercut::ledger {

inline void encode_row_change(std::string& out, TxnId txn, Lsn previous, const RowChange& change) {
  const std::size_t before = out.size();
  out.resize(before + row_change_bytes(change));
  put_row_change(out.data() + before, txn, previous, change);
}

}  // namespace powercut::ledger
