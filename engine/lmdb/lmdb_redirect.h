// Makes the calls of liblmdb come to LmdbProcess.
//
// The slots of its global offset table, through which a shared library calls others, are pointed at functions of ours: those of
// liblmdb and no others. Nothing else in the program is touched or slowed, and sanitizers keep what they have replaced; symbols
// of the same names in our program would catch the calls of everybody. Where no LmdbProcess runs, as in a benchmark of LMDB
// itself, our functions call the operating system.
#pragma once

#include "faultfs/result.h"

namespace powercut::engine {

// Once for the whole process. kUnsupported when liblmdb is not a shared library, or calls something that is not known here to
// be either caught or harmless: then bytes might pass by.
Result<void> redirect_lmdb();

}  // namespace powercut::engine
