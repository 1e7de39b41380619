// Catches the signals by which a kernel tells of pages that are not there yet, and of mistakes.
#pragma once

namespace powercut::engine {

// From now on SIGSEGV, SIGBUS and SIGFPE that LMDB causes inside of LmdbProcess::run() go to its process. All others go to the
// handlers that were there before. Cheap where it is so already: others replace handlers, so it is asked at each open.
void catch_lmdb_signals();

}  // namespace powercut::engine
