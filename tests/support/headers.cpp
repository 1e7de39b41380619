// Every header of the test support once, so that the library that owns the precompiled header has something to compile.
#include "tests/support/ledger_database.h"
#include "tests/support/property.h"
#include "tests/support/temporary_directory.h"
