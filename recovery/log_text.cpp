#include "recovery/log_text.h"

#include "engine/ledger/catalogue.h"
#include "engine/ledger/core.h"
#include "engine/ledger/log_reader.h"
#include "engine/ledger/log_record.h"
#include "engine/row.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace powercut::recovery {
namespace {

using ledger::LogRecord;
using ledger::Lsn;
using ledger::Page;
using ledger::PageId;
using ledger::raw;
using ledger::RecordType;
using ledger::RowAction;

std::string number(std::uint64_t value) { return std::to_string(value); }

class LogText {
 public:
  LogText(faultfs::FileSystem& files, std::string_view directory, const engine::LineSink& line)
      : files_(files), directory_(directory), line_(line), control_(files, directory_, defects_) {}

  Result<void> run();

 private:
  // What a tree holds: a table, or the index of one of its columns.
  struct Tree {
    std::string name;
    std::vector<engine::Column> columns;
  };

  Result<Lsn> oldest_record();
  Result<std::string> describe(const LogRecord& record);
  std::string describe_row(const LogRecord& record, const ledger::DecodedRow& row);
  void learn(std::string_view table, std::string_view row);
  void learn_from_page(const Page& page);
  Result<void> learn_from_data();
  Result<void> check_end(const ledger::LogReader& reader);
  Result<void> check_pages();

  faultfs::FileSystem& files_;
  std::string directory_;
  const engine::LineSink& line_;
  ledger::Defects defects_;
  ledger::Control control_;
  ledger::LogReader::Buffer buffer_;
  std::map<std::uint32_t, Tree> trees_;
  std::set<std::uint32_t> restored_;  // pages that redo would restore without reading them
  std::vector<ledger::PageImage> images_;
  std::uint32_t last_epoch_ = 0;
};

Result<void> LogText::run() {
  POWERCUT_TRY(const bool exists, control_.read());
  if (!exists) {
    return Error(ErrorCode::kNotFound,
                 directory_ + ": no database here: there is no file '" + std::string(ledger::kControlName) + "'");
  }
  const auto& control = control_.record();
  line_("control: version " + number(control.sequence) + ", incarnation " + number(control.epoch) + ", segments of " +
        number(control.segment_bytes) + " bytes, checkpoint at LSN " + number(raw(control.checkpoint)) + ", redo from LSN " +
        number(raw(control.redo)));
  POWERCUT_TRYV(learn_from_data());
  POWERCUT_TRY(const Lsn oldest, oldest_record());
  ledger::LogReader reader(files_, directory_, defects_, buffer_);
  reader.start(control, oldest);
  LogRecord record;
  for (;;) {
    POWERCUT_TRY(const bool more, reader.next(record));
    if (!more) break;
    last_epoch_ = record.header.epoch;
    POWERCUT_TRY(const std::string text, describe(record));
    line_("LSN " + number(raw(record.lsn)) + ": " + text);
  }
  line_("the log ends at LSN " + number(raw(reader.position())) + ": " + std::string(reader.why_ended()));
  POWERCUT_TRYV(check_end(reader));
  return check_pages();
}

// The first record of the oldest segment from which the log goes on, segment by segment, to where redo starts.
Result<Lsn> LogText::oldest_record() {
  const auto& control = control_.record();
  const Lsn redo = control.checkpoint == Lsn::kNone ? ledger::Log::first_lsn(control.segment_bytes) : control.redo;
  std::uint64_t segment = raw(redo) / control.segment_bytes;
  while (segment > 1) {
    auto opened = files_.open(directory_ + "/" + ledger::segment_name(segment - 1), faultfs::OpenMode::kRead);
    if (opened.has_error()) break;
    std::array<byte, ledger::kSegmentHeaderBytes> header{};
    POWERCUT_TRY(const std::size_t got, read_full(*opened.value(), 0, header));
    if (got < header.size()) break;
    if (!ledger::check_segment_header(header, control.database_id, segment - 1, control.segment_bytes).empty()) break;
    --segment;
  }
  return static_cast<Lsn>(segment * control.segment_bytes + ledger::kSegmentHeaderBytes);
}

void LogText::learn(std::string_view table, std::string_view row) {
  auto decoded = ledger::decode_table(table, row);
  if (decoded.has_error()) return;
  const ledger::Table& found = decoded.value();
  trees_[raw(found.root)] = {found.schema.name, found.schema.columns};
  std::size_t index = 0;
  for (const engine::Column& column : found.schema.columns) {
    if (!column.unique) continue;
    trees_[raw(found.indexes[index++])] = {found.schema.name + "." + column.name + " index", {}};
  }
}

void LogText::learn_from_page(const Page& page) {
  if (page.id() != ledger::kCatalogueRoot || page.type() != ledger::PageType::kLeaf) return;
  for (std::size_t slot = 0; slot < page.count(); ++slot) learn(page.key(slot), page.value(slot));
}

Result<void> LogText::learn_from_data() {
  auto opened = files_.open(directory_ + "/" + std::string(ledger::kDataName), faultfs::OpenMode::kRead);
  if (opened.has_error()) return opened.error();
  std::array<byte, ledger::kPageBytes> bytes{};
  POWERCUT_TRY(const std::size_t got, read_full(*opened.value(), ledger::kPageBytes * raw(ledger::kCatalogueRoot), bytes));
  const Page page(bytes.data());
  if (got == bytes.size() && page.checksum_matches() && page.well_formed()) learn_from_page(page);
  return success();
}

std::string LogText::describe_row(const LogRecord& record, const ledger::DecodedRow& row) {
  const auto& change = row.change;
  std::string text;
  if (record.header.type == RecordType::kCompensation) text += "CLR ";
  text += std::string(to_string(change.action)) + " txn " + number(raw(record.header.txn)) + " ";
  if (change.tree == ledger::kCatalogueRoot) {
    if (change.action != RowAction::kDelete) learn(change.key, change.after);
    return text + "catalogue['" + engine::bytes_text(change.key) + "']";
  }
  const auto known = trees_.find(raw(change.tree));
  const bool is_table = known != trees_.end() && !known->second.columns.empty();
  const auto shown = [&](std::string_view bytes) {
    return is_table ? engine::row_text(known->second.columns, bytes) : engine::bytes_text(bytes);
  };
  text += known == trees_.end() ? "tree " + number(raw(change.tree)) : known->second.name;
  text += "[" + engine::bytes_text(change.key) + "]";
  if (change.action == RowAction::kInsert) text += " " + shown(change.after);
  if (change.action == RowAction::kDelete) text += " " + shown(change.before);
  if (change.action == RowAction::kUpdate) text += " " + shown(change.before) + " -> " + shown(change.after);
  text += " (page " + number(raw(change.page)) + " slot " + number(change.slot) + ")";
  if (record.header.type == RecordType::kCompensation) text += ", undo next LSN " + number(raw(row.undo_next));
  return text;
}

Result<std::string> LogText::describe(const LogRecord& record) {
  std::string text(to_string(record.header.type));
  switch (record.header.type) {
    case RecordType::kRow:
    case RecordType::kCompensation: {
      POWERCUT_TRY(const ledger::DecodedRow row, decode_row(record.header.type, record.body));
      return describe_row(record, row);
    }
    case RecordType::kImages: {
      POWERCUT_TRYV(decode_images(record.body, images_));
      const bool redone = record.lsn >= control_.record().redo;
      std::array<byte, ledger::kPageBytes> bytes{};
      for (const ledger::PageImage& image : images_) {
        text += " page " + number(raw(image.page));
        Page page(bytes.data());
        POWERCUT_TRYV(restore_image(image, page));
        learn_from_page(page);
        if (redone) restored_.insert(raw(image.page));
      }
      return text;
    }
    case RecordType::kCommit:
    case RecordType::kRolledBack:
      return text + " txn " + number(raw(record.header.txn));
    case RecordType::kCheckpointEnd: {
      ledger::CheckpointEnd end;
      POWERCUT_TRYV(decode_checkpoint_end(record.body, end));
      text += " of BEGIN at LSN " + number(raw(end.begin)) + ", next txn " + number(raw(end.next_txn)) + ", active:";
      for (const auto& active : end.active) text += " txn " + number(raw(active.txn)) + " from LSN " + number(raw(active.first));
      text += end.active.empty() ? " none, dirty:" : ", dirty:";
      for (const auto& dirty : end.dirty) text += " page " + number(raw(dirty.page)) + " from LSN " + number(raw(dirty.rec_lsn));
      return end.dirty.empty() ? text + " none" : text;
    }
    case RecordType::kPad:
    case RecordType::kCheckpointBegin:
      return text;
  }
  return text;
}

// A log may end anywhere after its last checkpoint: that is what a power failure does. Before it, or with records of the
// same incarnation behind the end, something else is wrong.
Result<void> LogText::check_end(const ledger::LogReader& reader) {
  const auto& control = control_.record();
  const Lsn end = reader.position();
  const std::string place = directory_ + "/" + ledger::segment_name(raw(end) / control.segment_bytes) + ": byte " +
                            number(raw(end) % control.segment_bytes) + ", LSN " + number(raw(end));
  if (control.checkpoint != Lsn::kNone && end <= control.checkpoint) {
    return Error(ErrorCode::kCorrupt, place + ": " + std::string(reader.why_ended()) +
                                          ", but the log must go on at least to the checkpoint at LSN " +
                                          number(raw(control.checkpoint)));
  }
  if (control.checkpoint == Lsn::kNone && end == ledger::Log::first_lsn(control.segment_bytes) && !reader.has_segment()) {
    return Error(ErrorCode::kCorrupt, place + ": " + std::string(reader.why_ended()) +
                                          ", but the control record knows of no checkpoint that could " +
                                          "have made the first segment unnecessary");
  }
  ledger::LogReader::Buffer other_buffer;
  ledger::LogReader probe(files_, directory_, defects_, other_buffer);
  probe.start(control, end);
  const Lsn segment_end = static_cast<Lsn>((raw(end) / control.segment_bytes + 1) * control.segment_bytes);
  for (Lsn at = end + 1; raw(at) % control.segment_bytes >= ledger::kSegmentHeaderBytes && at < segment_end; at = at + 1) {
    const auto found = probe.at(at);
    if (found.has_error() || found.value().header.epoch < last_epoch_ || found.value().header.epoch > control.epoch) continue;
    return Error(ErrorCode::kCorrupt, place + ": " + std::string(reader.why_ended()) + ", but a whole record follows at LSN " +
                                          number(raw(at)) +
                                          ": these bytes were damaged, or the power failed while they were being written");
  }
  return success();
}

Result<void> LogText::check_pages() {
  const std::string path = directory_ + "/" + std::string(ledger::kDataName);
  POWERCUT_TRY(auto data, files_.open(path, faultfs::OpenMode::kRead));
  POWERCUT_TRY(const std::uint64_t size, data->size());
  std::array<byte, ledger::kPageBytes> bytes{};
  for (std::uint32_t page = 0; std::uint64_t{page} * ledger::kPageBytes < size; ++page) {
    if (restored_.contains(page)) continue;
    POWERCUT_TRY(const std::size_t got, read_full(*data, std::uint64_t{page} * ledger::kPageBytes, bytes));
    // Space that was made for pages to come.
    if (std::all_of(bytes.begin(), bytes.end(), [](byte b) { return b == byte{}; })) continue;
    const Page read(bytes.data());
    if (got == bytes.size() && read.checksum_matches() && raw(read.id()) == page && read.well_formed()) continue;
    return Error(ErrorCode::kCorrupt, path + ": page " + number(page) + " (byte " +
                                          number(std::uint64_t{page} * ledger::kPageBytes) +
                                          "): its checksum does not match its bytes, and no image in the log will restore it");
  }
  return success();
}

}  // namespace

Result<void> write_log_as_text(faultfs::FileSystem& files, std::string_view directory, const engine::LineSink& line) {
  return LogText(files, directory, line).run();
}

}  // namespace powercut::recovery
