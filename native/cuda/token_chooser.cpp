#include "cuda/token_chooser.h"

namespace deltascope::cuda {

void TokenChooser::penalise_seen(Machine& machine, float* logits, int64_t width, const Choice& choice) {
  std::vector<int64_t> offsets = {0};
  std::vector<int32_t> seen;
  for (const auto* ids : choice.seen) {
    seen.insert(seen.end(), ids->begin(), ids->end());
    offsets.push_back(static_cast<int64_t>(seen.size()));
  }
  if (seen.empty()) return;
  const cudaStream_t stream = machine.stream();
  const int64_t* from = put(offsets_, offsets, stream);
  penalise(logits, static_cast<int64_t>(choice.seen.size()), width, from, put(seen_, seen, stream),
           choice.sampling.repetition_penalty, stream);
  wait(stream);  // the lists go
}

std::vector<int32_t> TokenChooser::choose(Machine& machine, float* logits, int64_t width, const Choice& choice) {
  const Sampling& how = choice.sampling;
  const auto rows = static_cast<int64_t>(choice.uniform.size());
  const cudaStream_t stream = machine.stream();
  if (how.repetition_penalty != 1) penalise_seen(machine, logits, width, choice);
  Largest* largest = largest_.hold<Largest>(rows);
  uint64_t* parts = parts_.hold<uint64_t>(search_parts(rows, width));
  find_largest(logits, rows, width, parts, largest, stream);
  std::vector<int32_t> ids(static_cast<size_t>(rows));
  if (how.temperature == 0) {
    std::vector<Largest> found(ids.size());
    copy(found.data(), static_cast<const Largest*>(largest), rows, stream);
    wait(stream);
    for (size_t row = 0; row < ids.size(); ++row) ids[row] = found[row].id;
    return ids;
  }
  const double* uniform = put(uniform_, choice.uniform, stream);
  int32_t* chosen = ids_.hold<int32_t>(rows);
  const auto find = [&](DeviceBytes& places, const Mass& mass, const Goal& goal) {
    Place* found = places.hold<Place>(rows);
    search({logits, rows, width, 1, mass, goal, found, parts}, stream);
    return found;
  };
  Mass mass = {largest, how.temperature, nullptr};
  if (how.top_k > 0 && how.top_k < width) mass.within = find(among_, Mass{}, {Goal::Kind::rank, how.top_k});
  if (how.top_p < 1) {
    const Place* last = find(share_, mass, {Goal::Kind::share, 0, how.top_p});
    const Place* drawn = find(drawn_, mass, {Goal::Kind::draw, 0, 0, uniform, last});
    take_places(logits, rows, width, largest, drawn, chosen, stream);
  } else {
    draw_by_id(logits, rows, width, mass, uniform, parts, chosen, stream);
  }
  copy(ids.data(), static_cast<const int32_t*>(chosen), rows, stream);
  wait(stream);
  return ids;
}

}  // namespace deltascope::cuda
