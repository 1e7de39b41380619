#include "properties/case_file.h"

#include "faultfs/hash.h"
#include "faultfs/posix_file_system.h"
#include "properties/scenario_workload.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <charconv>

namespace powercut::properties {
namespace {

using Json = nlohmann::ordered_json;
using faultfs::PersistenceModel;

constexpr std::string_view kFormat = "powercut case";
constexpr std::uint64_t kVersion = 3;
constexpr std::uint64_t kOldestVersion = 2;  // without sessions side by side
// More than any case has, and little enough not to fill the memory.
constexpr std::size_t kMostBytes = std::size_t{64} << 20U;
constexpr std::size_t kMostSteps = 100'000;

std::string checksum_of(const Json& document) { return fmt::format("{:08x}", crc32c(~0U, as_bytes(document.dump()))); }

// Flags of the model by name, for reading and writing alike.
struct Flag {
  const char* name;
  bool PersistenceModel::*member;
};
constexpr std::array<Flag, 10> kFlags{{
    {"write_is_atom", &PersistenceModel::write_is_atom},
    {"in_flight_garbage", &PersistenceModel::in_flight_garbage},
    {"append_before_size", &PersistenceModel::append_before_size},
    {"unwritten_garbage", &PersistenceModel::unwritten_garbage},
    {"fsync_makes_new_name_durable", &PersistenceModel::fsync_makes_new_name_durable},
    {"fsync_makes_all_metadata_durable", &PersistenceModel::fsync_makes_all_metadata_durable},
    {"rename_flushes_data", &PersistenceModel::rename_flushes_data},
    {"rename_is_split", &PersistenceModel::rename_is_split},
    {"failed_sync_shows_old", &PersistenceModel::failed_sync_shows_old},
    {"failed_sync_reported_next", &PersistenceModel::failed_sync_reported_next},
}};

Json model_to_json(const PersistenceModel& model) {
  Json json;
  json["name"] = model.name;
  json["atom_bytes"] = model.atom_bytes;
  json["data_order"] = static_cast<int>(model.data_order);
  json["metadata_order"] = static_cast<int>(model.metadata_order);
  for (const Flag& flag : kFlags) json[flag.name] = model.*flag.member;
  return json;
}

Error wrong(std::string_view what) { return {ErrorCode::kCorrupt, "not a case file: " + std::string(what)}; }

// Reads members with a clear error in place of an exception.
class Reader {
 public:
  Reader(const Json& json, std::string path) : json_(json), path_(std::move(path)) {}

  Result<const Json*> member(const char* name) const {
    if (!json_.is_object()) return wrong(path_ + " must be an object");
    const auto found = json_.find(name);
    if (found == json_.end()) return wrong(path_ + "." + name + " is missing");
    return &*found;
  }

  bool has(const char* name) const { return json_.is_object() && json_.contains(name); }

  Result<std::string> text(const char* name) const {
    POWERCUT_TRY(const Json* const found, member(name));
    if (!found->is_string()) return wrong(path_ + "." + name + " must be a string");
    return found->get<std::string>();
  }

  Result<bool> flag(const char* name) const {
    POWERCUT_TRY(const Json* const found, member(name));
    if (!found->is_boolean()) return wrong(path_ + "." + name + " must be true or false");
    return found->get<bool>();
  }

  Result<std::uint64_t> number(const char* name, std::uint64_t most) const {
    POWERCUT_TRY(const Json* const found, member(name));
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > most) {
      return wrong(fmt::format("{}.{} must be a whole number from 0 to {}", path_, name, most));
    }
    return found->get<std::uint64_t>();
  }

  Result<const Json*> array(const char* name, std::size_t most) const {
    POWERCUT_TRY(const Json* const found, member(name));
    if (!found->is_array() || found->size() > most)
      return wrong(fmt::format("{}.{} must be a list of at most {}", path_, name, most));
    return found;
  }

  Result<std::vector<std::string>> texts(const char* name) const {
    POWERCUT_TRY(const Json* const found, array(name, kMostSteps));
    std::vector<std::string> all;
    for (const Json& element : *found) {
      if (!element.is_string()) return wrong(path_ + "." + name + " must hold strings");
      all.push_back(element.get<std::string>());
    }
    return all;
  }

 private:
  const Json& json_;
  std::string path_;
};

Result<PersistenceModel> model_from_json(const Json& json) {
  const Reader reader(json, "model");
  PersistenceModel model;
  POWERCUT_TRY(model.name, reader.text("name"));
  POWERCUT_TRY(const std::uint64_t atom, reader.number("atom_bytes", 4096));
  if (atom != 512 && atom != 4096) return wrong("model.atom_bytes must be 512 or 4096");
  model.atom_bytes = static_cast<std::uint32_t>(atom);
  POWERCUT_TRY(const std::uint64_t data_order, reader.number("data_order", 2));
  POWERCUT_TRY(const std::uint64_t metadata_order, reader.number("metadata_order", 1));
  model.data_order = static_cast<faultfs::DataOrder>(data_order);
  model.metadata_order = static_cast<faultfs::MetadataOrder>(metadata_order);
  for (const Flag& flag : kFlags) {
    POWERCUT_TRY(model.*flag.member, reader.flag(flag.name));
  }
  return model;
}

Json step_to_json(const Step& step, const Workload& workload) {
  Json json;
  json["kind"] = to_string(step.kind);
  if (step.session > 0) json["session"] = step.session;
  if (step.kind == StepKind::kSetUp) json["count"] = step.count;
  if (step.kind != StepKind::kTransaction) return json;
  if (workload.sessions() > 1) json["isolation"] = to_string(step.isolation);
  json["commit"] = step.commit;
  json["operations"] = Json::array();
  for (const Operation& operation : step.operations) {
    json["operations"].push_back({{"kind", to_string(operation.kind)},
                                  {"table", operation.table},
                                  {"a", operation.a},
                                  {"b", operation.b},
                                  {"amount", operation.amount}});
  }
  return json;
}

Result<Operation> operation_from_json(const Json& json, const Workload& workload) {
  constexpr std::uint64_t kMost = 1'000'000;
  const Reader reader(json, "operation");
  Operation operation;
  POWERCUT_TRY(const std::string kind, reader.text("kind"));
  POWERCUT_TRY(operation.kind, operation_kind(kind));
  POWERCUT_TRY(const std::uint64_t table, reader.number("table", workload.tables().size() - 1));
  POWERCUT_TRY(const std::uint64_t a, reader.number("a", kMost));
  POWERCUT_TRY(const std::uint64_t b, reader.number("b", kMost));
  POWERCUT_TRY(const std::uint64_t amount, reader.number("amount", kMost));
  if (operation.kind == OperationKind::kStatement && a >= workload.statements()) {
    return wrong(fmt::format("operation.a must be the number of a statement, below {}", workload.statements()));
  }
  operation.table = static_cast<std::uint32_t>(table);
  operation.a = static_cast<std::uint32_t>(a);
  operation.b = static_cast<std::uint32_t>(b);
  operation.amount = static_cast<std::int64_t>(amount);
  return operation;
}

Result<Step> step_from_json(const Json& json, const Workload& workload) {
  const Reader reader(json, "step");
  Step step;
  POWERCUT_TRY(const std::string kind, reader.text("kind"));
  POWERCUT_TRY(step.kind, step_kind(kind));
  if (step.kind == StepKind::kSetUp) {
    POWERCUT_TRY(const std::uint64_t count, reader.number("count", kMostSteps));
    step.count = static_cast<std::uint32_t>(count);
  }
  if (reader.has("session")) {
    POWERCUT_TRY(const std::uint64_t session, reader.number("session", workload.sessions() - 1));
    step.session = static_cast<std::uint32_t>(session);
  }
  if (step.kind != StepKind::kTransaction) return step;
  if (reader.has("isolation")) {
    POWERCUT_TRY(const std::string level, reader.text("isolation"));
    POWERCUT_TRY(step.isolation, isolation_level(level));
  }
  POWERCUT_TRY(step.commit, reader.flag("commit"));
  POWERCUT_TRY(const Json* const operations, reader.array("operations", kMostSteps));
  for (const Json& element : *operations) {
    POWERCUT_TRY(const Operation operation, operation_from_json(element, workload));
    step.operations.push_back(operation);
  }
  return step;
}

Result<std::vector<std::uint32_t>> picks_from_json(const Reader& reader, const char* name) {
  POWERCUT_TRY(const Json* const picks, reader.array(name, 10'000'000));
  std::vector<std::uint32_t> all;
  for (const Json& pick : *picks) {
    if (!pick.is_number_unsigned() || pick.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max()) {
      return wrong(std::string("case.") + name + " must hold whole numbers");
    }
    all.push_back(pick.get<std::uint32_t>());
  }
  return all;
}

Result<Steps> steps_from_json(const Json& json, const Workload& workload) {
  Steps steps;
  for (const Json& element : json) {
    POWERCUT_TRY(Step step, step_from_json(element, workload));
    if ((step.kind == StepKind::kSetUp) != steps.empty()) return wrong("the first step, and no other, must be of kind 'set up'");
    steps.push_back(std::move(step));
  }
  if (steps.empty()) return wrong("steps must hold at least the set-up");
  return steps;
}

using Engines = std::vector<const engine::EngineKind*>;

Engines pointers(EngineKinds engines) {
  Engines all;
  for (const auto& engine : engines) all.push_back(engine.get());
  return all;
}

Result<const engine::EngineKind*> find_engine(const Engines& engines, std::string_view name) {
  std::string message = "no engine is called '" + std::string(name) + "'; there are:";
  for (const engine::EngineKind* engine : engines) {
    if (engine->name() == name) return engine;
    message.append(" ").append(engine->name());
  }
  return Error(ErrorCode::kInvalidArgument, message);
}

}  // namespace

Result<const engine::EngineKind*> find_engine(EngineKinds engines, std::string_view name) {
  return find_engine(pointers(engines), name);
}

std::string hash_text(std::uint64_t hash) { return fmt::format("{:016x}", hash); }

std::string to_json(const Case& failing) {
  Json json;
  json["format"] = kFormat;
  json["version"] = kVersion;
  json["engine"] = failing.setting.kind->name();
  json["options"] = Json::object();
  for (const auto& option : failing.setting.options) json["options"][option.name] = option.value;
  json["defects"] = failing.setting.defects;
  json["model"] = model_to_json(failing.setting.model);
  json["workload"] = failing.setting.workload->name();
  if (failing.setting.own_workload != nullptr) json["scenario"] = failing.setting.scenario;
  json["seed"] = failing.seed;
  json["nested"] = failing.setting.nested;
  if (failing.setting.slow_io) json["slow_io"] = true;
  if (failing.setting.judged_by != JudgedBy::kGuarantee) json["judged_by"] = to_string(failing.setting.judged_by);
  json["fault"] = nullptr;
  if (failing.setting.fault) {
    const faultfs::Fault& fault = *failing.setting.fault;
    json["fault"] = {
        {"kind", faultfs::info(fault.kind).name}, {"in_recovery", fault.in_recovery}, {"at", fault.at}, {"count", fault.count}};
  }
  json["steps"] = Json::array();
  for (const Step& step : failing.steps) json["steps"].push_back(step_to_json(step, *failing.setting.workload));
  json["crash_point"] = failing.failure.crash_point == kNoCrash ? Json(nullptr) : Json(failing.failure.crash_point);
  if (!failing.failure.schedule.empty()) json["schedule"] = failing.failure.schedule;
  json["picks"] = failing.failure.picks;
  json["violation"] = {{"oracle", to_string(failing.failure.violation.oracle)},
                       {"summary", failing.failure.violation.summary},
                       {"differences", failing.failure.violation.differences}};
  json["trace_hash"] = hash_text(failing.trace_hash);
  json["checksum"] = checksum_of(json);
  return json.dump(2) + "\n";
}

namespace {

Result<Case> parse_case(std::string_view text, const Engines& engines) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return wrong("the JSON is broken or cut short");
  const Reader reader(json, "case");
  POWERCUT_TRY(const std::string format, reader.text("format"));
  if (format != kFormat) return wrong(fmt::format("format is '{}', must be '{}'", format, kFormat));
  POWERCUT_TRY(const std::uint64_t version, reader.number("version", 1'000'000));
  if (version < kOldestVersion || version > kVersion) {
    return Error(ErrorCode::kUnsupported,
                 fmt::format("case format version {}; this powercut reads versions {} to {}", version, kOldestVersion, kVersion));
  }
  POWERCUT_TRY(const std::string checksum, reader.text("checksum"));
  Json without = json;
  without.erase("checksum");
  if (checksum != checksum_of(without)) {
    return wrong(fmt::format("the checksum is {}, its contents have {}: it was changed after it was written", checksum,
                             checksum_of(without)));
  }

  Case failing;
  POWERCUT_TRY(const std::string engine, reader.text("engine"));
  POWERCUT_TRY(failing.setting.kind, find_engine(engines, engine));
  POWERCUT_TRY(const Json* const options, reader.member("options"));
  if (!options->is_object()) return wrong("case.options must be an object");
  for (const auto& [name, value] : options->items()) {
    if (!value.is_string()) return wrong("case.options must hold strings");
    failing.setting.options.push_back({name, value.get<std::string>()});
  }
  POWERCUT_TRY(failing.setting.defects, reader.texts("defects"));
  POWERCUT_TRYV(failing.setting.kind->make(failing.setting.options, failing.setting.defects));
  POWERCUT_TRY(const Json* const model, reader.member("model"));
  POWERCUT_TRY(failing.setting.model, model_from_json(*model));
  POWERCUT_TRY(const std::string workload, reader.text("workload"));
  if (reader.has("scenario")) {
    POWERCUT_TRY(failing.setting.scenario, reader.text("scenario"));
    POWERCUT_TRY(const Scenario scenario, parse_scenario(failing.setting.scenario, "case.scenario"));
    POWERCUT_TRY(ScenarioCase of_scenario, scenario_case(scenario));
    failing.setting.own_workload = std::move(of_scenario.workload);
    failing.setting.workload = failing.setting.own_workload.get();
  } else {
    POWERCUT_TRY(failing.setting.workload, find_workload(workload));
  }
  POWERCUT_TRY(failing.seed, reader.number("seed", std::numeric_limits<std::uint64_t>::max()));
  POWERCUT_TRY(const std::uint64_t nested, reader.number("nested", 1000));
  failing.setting.nested = static_cast<std::uint32_t>(nested);
  if (reader.has("slow_io")) {
    POWERCUT_TRY(failing.setting.slow_io, reader.flag("slow_io"));
  }
  if (reader.has("judged_by")) {
    POWERCUT_TRY(const std::string judged_by, reader.text("judged_by"));
    POWERCUT_TRY(failing.setting.judged_by, judged_by_of(judged_by));
  }
  POWERCUT_TRY(const Json* const fault, reader.member("fault"));
  if (!fault->is_null()) {
    const Reader faulty(*fault, "fault");
    POWERCUT_TRY(const std::string name, faulty.text("kind"));
    POWERCUT_TRY(const faultfs::FaultKind fault_kind, faultfs::fault_kind(name));
    POWERCUT_TRY(const Json* const in_recovery, faulty.member("in_recovery"));
    if (!in_recovery->is_boolean()) return wrong("fault.in_recovery must be true or false");
    POWERCUT_TRY(const std::uint64_t at, faulty.number("at", std::numeric_limits<std::uint32_t>::max()));
    POWERCUT_TRY(const std::uint64_t count, faulty.number("count", std::numeric_limits<std::uint32_t>::max()));
    failing.setting.fault =
        faultfs::Fault{fault_kind, in_recovery->get<bool>(), static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(count)};
  }
  if (failing.setting.fault && failing.setting.workload->sessions() > 1) {
    return wrong("case.fault must be null where several sessions run side by side");
  }
  POWERCUT_TRY(const Json* const steps, reader.array("steps", kMostSteps));
  POWERCUT_TRY(failing.steps, steps_from_json(*steps, *failing.setting.workload));
  POWERCUT_TRY(const Json* const crash_point, reader.member("crash_point"));
  if (!crash_point->is_null()) {
    POWERCUT_TRY(const std::uint64_t point, reader.number("crash_point", kNoCrash - 1));
    failing.failure.crash_point = static_cast<std::uint32_t>(point);
  }
  POWERCUT_TRY(failing.failure.picks, picks_from_json(reader, "picks"));
  if (reader.has("schedule")) {
    POWERCUT_TRY(failing.failure.schedule, picks_from_json(reader, "schedule"));
  }
  POWERCUT_TRY(const Json* const violation, reader.member("violation"));
  const Reader violated(*violation, "violation");
  POWERCUT_TRY(const std::string oracle, violated.text("oracle"));
  POWERCUT_TRY(failing.failure.violation.oracle, oracle_of(oracle));
  POWERCUT_TRY(failing.failure.violation.summary, violated.text("summary"));
  POWERCUT_TRY(failing.failure.violation.differences, violated.texts("differences"));
  POWERCUT_TRY(const std::string hash, reader.text("trace_hash"));
  const auto parsed = std::from_chars(hash.data(), hash.data() + hash.size(), failing.trace_hash, 16);
  if (parsed.ec != std::errc() || parsed.ptr != hash.data() + hash.size() || hash.size() != 16) {
    return wrong("case.trace_hash must be 16 hexadecimal digits");
  }
  return failing;
}

}  // namespace

Result<Case> case_from_json(std::string_view text, EngineKinds engines) { return parse_case(text, pointers(engines)); }
Result<Case> case_from_json(std::string_view text, const engine::EngineKind& engine) { return parse_case(text, {&engine}); }

Result<void> write_case_file(const std::string& path, const Case& failing) {
  const std::string directory = path.find('/') == std::string::npos ? "." : std::string(faultfs::parent_of(path));
  const std::string name(faultfs::name_of(path));
  POWERCUT_TRY(const auto files, faultfs::PosixFileSystem::open(directory.empty() ? "/" : directory));
  const std::string temporary = name + ".tmp";
  const std::string text = to_json(failing);
  const auto write_temporary = [&]() -> Result<void> {
    POWERCUT_TRY(auto file, files->open(temporary, faultfs::OpenMode::kCreate));
    POWERCUT_TRYV(file->resize(0));
    POWERCUT_TRYV(write_full(*file, 0, as_bytes(text)));
    return file->sync(faultfs::SyncKind::kFull);
  };
  const auto written = write_temporary();
  if (written.has_error()) {
    static_cast<void>(files->remove(temporary).has_error());
    return written.error();
  }
  return files->rename(temporary, name);
}

namespace {

Result<Case> read_case(const std::string& path, const Engines& engines) {
  const std::string directory = path.find('/') == std::string::npos ? "." : std::string(faultfs::parent_of(path));
  POWERCUT_TRY(const auto files, faultfs::PosixFileSystem::open(directory.empty() ? "/" : directory));
  POWERCUT_TRY(auto file, files->open(faultfs::name_of(path), faultfs::OpenMode::kRead));
  POWERCUT_TRY(const std::uint64_t size, file->size());
  if (size > kMostBytes) return wrong("it is larger than any case file").within(path);
  std::string text(size, '\0');
  POWERCUT_TRY(const std::size_t got, read_full(*file, 0, {reinterpret_cast<byte*>(text.data()), text.size()}));
  text.resize(got);
  auto parsed = parse_case(text, engines);
  if (parsed.has_error()) return parsed.error().within(path);
  return parsed;
}

}  // namespace

Result<Case> read_case_file(const std::string& path, EngineKinds engines) { return read_case(path, pointers(engines)); }
Result<Case> read_case_file(const std::string& path, const engine::EngineKind& engine) { return read_case(path, {&engine}); }

}  // namespace powercut::properties
