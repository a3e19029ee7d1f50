// SPDX-License-Identifier: Apache-2.0
#include "api/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/router.h"

namespace freshet::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ReadTarget, DecodesEachPartAfterItWasCut) {
  Request request;
  request.target = "/api//a%2Fb/%C3%A4%20c/?name=x%26y&flag=true&name=last+one&empty=&=none";
  ASSERT_TRUE(ReadTarget(&request).ok());
  EXPECT_THAT(request.path, ElementsAre("api", "a/b", "ä c"));
  EXPECT_EQ(request.parameter("name"), "last one");
  EXPECT_TRUE(*request.FlagParameter("flag", false));
  EXPECT_EQ(request.query.size(), 3U);
  EXPECT_EQ(request.parameter("absent"), "");
}

TEST(ReadTarget, RefusesWhatLeadsElsewhere) {
  for (const auto* target : {"", "api", "*", "http://host/x", "/a/../b", "/a/%2e%2E/b", "/./b",
                             "/a%00b", "/a%0", "/a%zz", "/a?x=%", "/..", "/a/%2e"}) {
    Request request;
    request.target = target;
    EXPECT_TRUE(ReadTarget(&request).Is(ErrorClass::INVALID_ARGUMENT)) << target;
  }
}

TEST(Parameters, AreNumbersAndFlagsOrRefused) {
  Request request;
  request.query = {{"n", "12"},     {"bad", "1x"},
                   {"minus", "-1"}, {"huge", "99999999999999999999"},
                   {"flag", "yes"}, {"empty", ""}};
  EXPECT_EQ(*request.NumberParameter("n", 0), 12);
  EXPECT_EQ(*request.NumberParameter("absent", 7), 7);
  for (const auto* name : {"bad", "minus", "huge", "empty"})
    EXPECT_FALSE(request.NumberParameter(name, 0).ok()) << name;
  for (const auto* name : {"flag", "empty"})
    EXPECT_FALSE(request.FlagParameter(name, true).ok()) << name;
  // Clients say that they have no token yet, too.
  request.query["page_token"] = "";
  EXPECT_EQ(*request.PageNumber(), 0);
  request.query["page_token"] = "7";
  EXPECT_EQ(*request.PageNumber(), 7);
}

TEST(ErrorResponse, IsThePublishedBody) {
  auto response = ErrorResponse(
      Error(ErrorClass::NOT_FOUND, "Catalog '{}' does not exist.", "x\xff").WithRemedy("Make it."));
  EXPECT_EQ(response.status, 404);
  auto body = ParseJsonOrThrow<Json>(response.body);
  EXPECT_EQ(body["error_code"], "RESOURCE_DOES_NOT_EXIST");
  EXPECT_EQ(body["message"], "Catalog 'x\xEF\xBF\xBD' does not exist.");
  EXPECT_EQ(body["details"][0]["reason"], "NOT_FOUND");
  EXPECT_EQ(body["details"][0]["metadata"]["remedy"], "Make it.");
  EXPECT_EQ(ErrorResponse(Error(ErrorClass::UNSUPPORTED_FIELD, "x")).status, 400);
  EXPECT_EQ(ErrorResponse(Error(ErrorClass::ALREADY_EXISTS, "x")).status, 409);
  EXPECT_EQ(ErrorResponse(Error(ErrorClass::STORE_UNAVAILABLE, "x")).status, 503);
  EXPECT_EQ(ErrorResponse(Error(ErrorClass::SOURCE_AUTH, "x")).status, 400);
  EXPECT_EQ(ErrorResponse(Error(ErrorClass::INTERNAL, "x")).status, 500);
}

TEST(ParseBody, TakesObjectsOfReasonableDepth) {
  EXPECT_TRUE(ParseBody("")->is_object());
  EXPECT_EQ((*ParseBody(R"({"a":"[[[[\"{"})"))["a"], "[[[[\"{");
  for (const auto& text :
       {std::string("{"), std::string("[]"), std::string("null"), std::string("{\"a\":\"\xff\"}"),
        std::string("{} x"), "{\"a\":" + std::string(100'000, '[')}) {
    EXPECT_TRUE(ParseBody(text).status().Is(ErrorClass::INVALID_ARGUMENT)) << text.substr(0, 20);
  }
}

TEST(Fields, NameWhatIsWrong) {
  auto body =
      *ParseBody(R"({"name": 1, "options": {"a": 2}, "list": ["x", 3], "more": true, "big": 1e3})");
  auto finish = [&](auto read) {
    Fields fields(body, "spec");
    fields.Ignore({"name", "options", "list", "more", "big"});
    read(fields);
    return fields.Finish().ToString();
  };
  EXPECT_THAT(finish([](Fields& fields) { fields.Required("name"); }),
              HasSubstr("spec.name is not a text"));
  EXPECT_THAT(finish([](Fields& fields) { fields.Required("none"); }),
              HasSubstr("spec.none is missing"));
  EXPECT_THAT(finish([](Fields& fields) { fields.Texts("options"); }),
              HasSubstr("spec.options.a is not a text"));
  EXPECT_THAT(finish([](Fields& fields) { fields.List("list"); }),
              HasSubstr("spec.list is not a list"));
  EXPECT_THAT(finish([](Fields& fields) { fields.Number("big"); }),
              HasSubstr("spec.big is not a whole"));
  EXPECT_THAT(finish([](Fields& fields) { fields.NotBuilt({"more"}); }),
              HasSubstr("UNSUPPORTED_FIELD"));
  EXPECT_THAT(finish([](Fields& fields) { fields.Object("list"); }),
              HasSubstr("spec.list is not an object"));
  EXPECT_THAT(finish([](Fields& fields) { fields.Array("options"); }),
              HasSubstr("spec.options is not a list"));
  Fields strict(body);
  strict.Text("options");
  strict.Required("none");
  auto unknown = strict.Finish();
  EXPECT_THAT(unknown.ToString(), HasSubstr("name is not a field of this request"));
  EXPECT_EQ(unknown.remedy(), "The fields are: none, options.");
}

TEST(Router, FindsTheRouteAndItsParts) {
  Router router;
  auto add = [&](std::string_view method, std::string_view pattern, std::string_view operation) {
    router.Add(
        {.method = method, .pattern = pattern, .operation = operation, .rule = Rule::Anyone()});
  };
  add("GET", "/a/{name}", "get");
  add("GET", "/a/{name}/b", "b");
  add("POST", "/a", "make");
  add("GET", "/files/{*path}", "file");
  auto find = [&](const char* method, const char* target) {
    Request request;
    request.method = method;
    request.target = target;
    EXPECT_TRUE(ReadTarget(&request).ok());
    const auto* route = router.Find(&request);
    return route == nullptr ? std::string("none")
                            : std::string(route->operation) + request.parts["name"];
  };
  EXPECT_EQ(find("GET", "/a/x"), "getx");
  EXPECT_EQ(find("HEAD", "/a/x%2Fb"), "getx/b");
  EXPECT_EQ(find("GET", "/a/x/b/"), "bx");
  EXPECT_EQ(find("POST", "/a"), "make");
  EXPECT_EQ(find("DELETE", "/a/x"), "none");
  EXPECT_EQ(find("GET", "/a"), "none");
  EXPECT_EQ(find("GET", "/files/a"), "file");
  EXPECT_EQ(find("GET", "/files/a/b%2Fc"), "file");
  EXPECT_EQ(find("GET", "/files"), "none");
}

}  // namespace
}  // namespace freshet::api
