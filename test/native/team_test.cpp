#include "core/team.h"

#include <mutex>
#include <set>
#include <stdexcept>

#include "support.h"

using namespace deltascope;

TEST_CASE("a team runs every part of every piece of work once, and is done when it says so") {
  for (const int threads : {1, 2, 5}) {
    CAPTURE(threads);
    Team team(threads);
    const Team::Use use(team);
    CHECK(parallel_threads() == threads);
    for (int64_t piece = 0; piece < 3000; ++piece) {
      const int64_t count = piece % 97;
      std::vector<int> runs(static_cast<size_t>(count));  // ints: a lost or doubled part shows, a late one in the next piece
      parallel_ranges(count, 1 + piece % 5, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) ++runs[static_cast<size_t>(i)];
      });
      REQUIRE(std::all_of(runs.begin(), runs.end(), [](int n) { return n == 1; }));
      // Now and then the threads have time to fall asleep.
      if (piece % 1000 == 999) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    }
  }
}

TEST_CASE("a team's threads share the work, unless they are in use elsewhere") {
  Team team(3);
  const Team::Use use(team);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  // Sleeping parts: on one core, too, the others get their turn.
  parallel_ranges(30, 1, [&](int64_t, int64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const std::lock_guard lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  CHECK(seen.size() == 3);
}

TEST_CASE("an exception in a team's thread reaches the giver, and the team goes on") {
  Team team(2);
  const Team::Use use(team);
  CHECK_THROWS_AS(parallel_for(1000, [](int64_t i) { if (i == 700) throw std::runtime_error("700"); }),
                  std::runtime_error);
  std::atomic<int64_t> sum = 0;
  parallel_for(1000, [&](int64_t i) { sum += i; });
  CHECK(sum == 499500);
}

TEST_CASE("a team is current where it is used, and only there") {
  CHECK(Team::current() == nullptr);
  Team outer(1), inner(2);
  {
    const Team::Use use(outer);
    {
      const Team::Use other(inner);
      CHECK(Team::current() == &inner);
    }
    CHECK(Team::current() == &outer);
    std::thread([] { CHECK(Team::current() == nullptr); }).join();
  }
  CHECK(Team::current() == nullptr);
}
