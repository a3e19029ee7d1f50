// SPDX-License-Identifier: Apache-2.0
// A journal in a directory of its own.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/json.h"
#include "fixture.h"
#include "sources/sample/connector.h"

namespace freshet::conformance {
namespace {

using Json = nlohmann::ordered_json;

class SampleBackend final : public TestBackend {
 public:
  SampleBackend() {
    std::string pattern = (std::filesystem::temp_directory_path() / "freshet-journal-XXXXXX");
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    Write({{"journal", "one"}, {"base", 0}}, std::ios::trunc);
  }
  ~SampleBackend() override { std::filesystem::remove_all(directory_); }

  Facts facts() const override {
    return {.types_page = FRESHET_ROOT "/src/sources/sample/TYPES.md",
            .schema = "shop",
            .long_type = "long",
            .text_type = "string"};
  }
  void CreateTable(const std::string& table, const std::vector<Column>& columns,
                   bool keyed) override {
    Json change = ChangeOf("create", table);
    change["id"] = table + "-" + std::to_string(++tables_);
    for (const auto& column : columns)
      change["columns"].push_back(Json::array({column.name, column.type}));
    if (keyed) change["key"] = Json::array({columns[0].name});
    types_[table] = columns;
    Append(Json::array({change}));
  }
  void Commit(const std::vector<Act>& acts) override {
    Json changes = Json::array();
    for (const auto& act : acts)
      changes.push_back(std::visit([&](const auto& each) { return JsonOf(each); }, act));
    Append(changes);
  }
  void Restart() override {}
  void Suffer(Misfortune misfortune) override;
  Result<std::unique_ptr<sources::Source>> Open() override {
    auto connector = sources::sample::AsConnector();
    FRESHET_TRY(auto settings, connector.parse("sample://" + directory_ + "?chunk_bytes=20000"));
    settings.slot = "conformance";
    return connector.open(settings);
  }
  std::vector<std::string> Examples(const std::string& type) const override;

 private:
  static Json ChangeOf(const char* op, const std::string& table) {
    return {{"op", op}, {"table", "shop." + table}};
  }
  /// The value as the journal writes it: text in quotes, all else as it is.
  static Json ValueOf(const Literal& literal, const std::string& type) {
    if (!literal) return {};
    for (const char* quoted : {"string", "decimal", "binary", "date", "timestamp"}) {
      if (type.starts_with(quoted)) return *literal;
    }
    auto json = ParseJson<Json>(*literal);
    return json.is_discarded() ? Json(*literal) : json;  // NaN
  }
  Json KeyOf(const std::string& table, const std::string& key) {
    const Column& column = types_[table][0];
    Json object = Json::object();
    object[column.name] = ValueOf(key, column.type);
    return object;
  }
  Json JsonOf(const Insert& insert) {
    Json change = ChangeOf("insert", insert.table);
    const auto& columns = types_[insert.table];
    for (size_t i = 0; i < insert.row.size(); ++i)
      change["row"][columns[i].name] = ValueOf(insert.row[i], columns[i].type);
    return change;
  }
  Json JsonOf(const Update& update) {
    Json change = ChangeOf("update", update.table);
    change["key"] = KeyOf(update.table, update.key);
    for (const auto& column : types_[update.table]) {
      auto value = update.values.find(column.name);
      if (value != update.values.end())
        change["row"][column.name] = ValueOf(value->second, column.type);
    }
    return change;
  }
  Json JsonOf(const Delete& each) {
    Json change = ChangeOf("delete", each.table);
    change["key"] = KeyOf(each.table, each.key);
    return change;
  }
  static Json JsonOf(const Truncate& each) { return ChangeOf("truncate", each.table); }
  static Json JsonOf(const Drop& each) { return ChangeOf("drop", each.table); }
  Json JsonOf(const AddColumn& each) {
    Json change = ChangeOf("add", each.table);
    change["column"] = Json::array({each.column.name, each.column.type});
    types_[each.table].push_back(each.column);
    return change;
  }

  void Append(const Json& changes) {
    Write({{"at", "2026-01-02T03:04:05.678901Z"}, {"changes", changes}}, std::ios::app);
    ++transactions_;
  }
  void Write(const Json& line, std::ios::openmode mode) {
    std::ofstream file(directory_ + "/journal.jsonl", std::ios::binary | mode);
    file << JsonText(line) + "\n";
    EXPECT_TRUE(file.flush()) << directory_;
  }

  std::string directory_;
  std::map<std::string, std::vector<Column>> types_;
  int tables_ = 0, transactions_ = 0;
};

void SampleBackend::Suffer(Misfortune misfortune) {
  std::vector<std::string> lines;
  {
    std::ifstream file(directory_ + "/journal.jsonl", std::ios::binary);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
  }
  Json header{{"journal", misfortune == Misfortune::kReplaced ? "another" : "one"}, {"base", 0}};
  if (misfortune == Misfortune::kForgotten) {
    // Compacted: what all lines made is the base.
    header["base"] = transactions_;
    header["base_lines"] = transactions_;
  } else if (misfortune == Misfortune::kMoved) {
    // A backup from before the cursor was restored, and another row came: the cursor's line is
    // another.
    lines.resize(2);
    lines.emplace_back(R"({"changes": []})");
    lines.emplace_back(R"({"changes": []})");
  }
  Write(header, std::ios::trunc);
  for (size_t i = 1; i < lines.size(); ++i) Write(ParseJsonOrThrow<Json>(lines[i]), std::ios::app);
}

std::vector<std::string> SampleBackend::Examples(const std::string& type) const {
  static const std::map<std::string, std::vector<std::string>> kExamples = {
      {"boolean", {"true", "false"}},
      {"byte", {"0", "-128", "127", "128"}},
      {"short", {"0", "-32768", "32767"}},
      {"integer", {"0", "-2147483648", "2147483647"}},
      {"long", {"0", "-9223372036854775808", "9223372036854775807"}},
      {"float", {"0.5", "-1.25", "NaN", "Infinity"}},
      {"double", {"0.1", "1e300", "NaN", "-Infinity"}},
      {"decimal(38,10)", {"1.5", "-9999999999999999999999999999.9999999999", "1e40"}},
      {"string", {"text", "", "line\nbreak \"quoted\" ünïcode 表"}},
      {"binary", {"00ff", "", "0"}},
      {"date", {"2026-01-02", "1969-12-31", "0001-01-01", "9999-12-31"}},
      {"timestamp", {"2026-01-02T03:04:05.678901Z", "1969-12-31T23:59:59.999999Z"}},
      {"timestamp_ntz", {"2026-01-02T03:04:05.678901", "1969-12-31T23:59:59.999999"}},
      {"array<integer>", {"[1,null,-3]", "[]"}},
  };
  auto found = kExamples.find(type);
  return found == kExamples.end() ? std::vector<std::string>() : found->second;
}

}  // namespace

std::unique_ptr<TestBackend> MakeBackend() { return std::make_unique<SampleBackend>(); }

}  // namespace freshet::conformance
