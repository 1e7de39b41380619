#include "properties/scenario_sessions.h"

#include <algorithm>
#include <utility>

namespace powercut::properties {
namespace {

struct Idle final : faultfs::Scheduler::Wait {
  std::string text() const override { return "its next line"; }
};

}  // namespace

// After the director come those that can go on, the longest waiting first, then that time passes.
std::uint32_t Turns::choose(std::uint32_t /*n*/, const faultfs::ChoiceLabel& label) {
  if (label.name != kDirectorsTurn) return 0;
  asked_ = true;
  return 1;
}

Result<std::size_t> SessionFibers::add(std::string name) {
  auto made = std::make_unique<Seat>();
  POWERCUT_TRY(made->session, database_.new_session());
  made->name = std::move(name);
  Seat& seat = *made;
  seats_.push_back(std::move(made));
  seat.fiber = scheduler_.spawn(seat.name, [this, &seat] { sit(seat); });
  return seats_.size() - 1;
}

// The session ends in its own fiber: that may wake others.
void SessionFibers::sit(Seat& seat) {
  const Idle idle;
  for (;;) {
    while (!seat.work && !seat.leaving && !scheduler_.stopped()) scheduler_.park(idle);
    if (!seat.work) break;
    seat.work(*seat.session);
    seat.work = nullptr;
  }
  seat.session.reset();
}

void SessionFibers::give(std::size_t at, Work work) {
  seats_[at]->work = std::move(work);
  scheduler_.wake(seats_[at]->fiber);
}

bool SessionFibers::anybody_can_go_on() const {
  return std::any_of(seats_.begin(), seats_.end(),
                     [&](const auto& seat) { return !scheduler_.has_ended(seat->fiber) && !scheduler_.is_parked(seat->fiber); });
}

void SessionFibers::settle() {
  while (anybody_can_go_on()) scheduler_.yield(Turns::kDirectorsTurn);
  for (const auto& seat : seats_) {
    if (seat->work && !seat->told && scheduler_.is_parked(seat->fiber)) {
      seat->told = true;
      sink_(seat->name, scheduler_.waits_for(seat->fiber));
    }
  }
}

// Where nobody can go on, ends the earliest limit, if there is one.
bool SessionFibers::pass_time() {
  turns_.take_asked();
  scheduler_.yield(Turns::kDirectorsTurn);
  return turns_.take_asked();
}

bool SessionFibers::finish(std::size_t at) {
  settle();
  while (is_busy(at) && pass_time()) settle();
  return !is_busy(at);
}

void SessionFibers::finish_all() {
  settle();
  while (pass_time()) settle();
}

void SessionFibers::leave() {
  for (;;) {
    for (const auto& seat : seats_) {
      if (seat->work || seat->leaving) continue;
      seat->leaving = true;
      scheduler_.wake(seat->fiber);
    }
    if (!anybody_can_go_on()) return;
    settle();
  }
}

}  // namespace powercut::properties
