// The log as people read it: "LSN 101: UPDATE txn 42 accounts['00001'] 6900 -> 5900".
#pragma once

#include "engine/engine.h"

namespace powercut::recovery {

// Every record from the oldest segment that still belongs to the log, then what is damaged. See EngineKind::describe_log.
Result<void> write_log_as_text(faultfs::FileSystem& files, std::string_view directory, const engine::LineSink& line);

}  // namespace powercut::recovery
