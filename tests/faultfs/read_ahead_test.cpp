#include "faultfs/read_ahead.h"

#include <sys/mman.h>
#include <unistd.h>
#include <catch2/catch.hpp>

namespace powercut::testing {

TEST_CASE("what was announced is covered from the begin of the last announcement on, whether it overlaps the one before or not") {
  const int file = ::memfd_create("announced", 0);
  REQUIRE(file >= 0);
  faultfs::ReadAhead ahead;
  CHECK_FALSE(ahead.covers(0, 1));
  ahead.announce(file, 1000, 2000);
  CHECK(ahead.covers(1000, 2000));
  CHECK_FALSE(ahead.covers(999, 10));
  CHECK_FALSE(ahead.covers(2999, 2));
  ahead.announce(file, 2000, 2000);
  CHECK(ahead.covers(2000, 2000));
  CHECK_FALSE(ahead.covers(1000, 2000));
  ahead.announce(file, 2500, 100);
  CHECK(ahead.covers(2500, 1500));
  CHECK_FALSE(ahead.covers(2500, 1501));
  ahead.announce(file, 9000, 1000);
  CHECK(ahead.covers(9000, 1000));
  CHECK_FALSE(ahead.covers(2500, 100));
  CHECK_FALSE(ahead.covers(3990, 6000));
  ::close(file);
}

TEST_CASE("what the kernel refuses to hear does not count as announced") {
  int pipe[2];
  REQUIRE(::pipe(pipe) == 0);
  faultfs::ReadAhead ahead;
  ahead.announce(pipe[0], 0, 4096);
  CHECK_FALSE(ahead.covers(0, 1));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

}  // namespace powercut::testing
