"use strict";
const report = JSON.parse(document.getElementById("data").textContent);
const cases = new Map(report.cases.map(one => [one.name, one]));
const statuses = ["pass", "fail", "not implemented", "untested", "not applicable"];
const form = document.getElementById("filter");
const body = document.querySelector("#requirements tbody");

function make(tag, text, name) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
}

function add(parent, ...children) {
  parent.append(...children.filter(child => child));
  return parent;
}

function row(cells, tag = "td") {
  return add(make("tr"), ...cells.map(cell => cell instanceof Node ? add(make(tag), cell) : make(tag, cell)));
}

function badge(status) {
  return make("span", status, "status " + status.replace(" ", "-"));
}

// --- summaries ---------------------------------------------------------------------------------

function link(text, filter) {
  const anchor = make("a", text);
  anchor.href = "#" + new URLSearchParams(filter);
  return anchor;
}

function summary(id, values, field) {
  const table = document.getElementById(id);
  add(table, row([field, ...statuses, "all"], "th"));
  for (const [value, counts] of Object.entries(values)) {
    const all = statuses.reduce((sum, status) => sum + counts[status], 0);
    if (!all) continue;
    const cells = statuses.map(status => counts[status] ? link(counts[status], {[field]: value, status}) : "");
    add(table, row([link(value, {[field]: value}), ...cells, String(all)]));
  }
}

function invariants() {
  const table = document.getElementById("invariants");
  add(table, row(["invariant", "what holds", "frames", "violations", "requirements"], "th"));
  for (const one of report.invariants)
    add(table, row([one.name, one.text, String(one.frames), one.violations.join("\n"), one.ids.join(" ")]));
}

function mutants() {
  if (!report.mutants) return;
  document.getElementById("more-mutants").hidden = false;
  const table = document.getElementById("mutants");
  const {killed, of, mutants} = report.mutants;
  add(table, add(make("caption"), `${killed} of ${of} killed`));
  add(table, row(["mutant", "rule", "what is broken", "file", "case", "result"], "th"));
  for (const one of mutants)
    add(table, row([one.name, one.id, one.text, one.file, one.case, badge(one.result === "killed" ? "pass" : "fail")]));
}

function facts() {
  document.getElementById("device").textContent = report.device;
  const versions = Object.entries(report.versions).map(([name, version]) => `${name} ${version}`);
  document.getElementById("facts").textContent =
    [...versions, `seed ${report.seed}`, `configuration ${report.configuration}`, `suite ${report.suite}`].join(" · ");
}

function rates() {
  const table = document.getElementById("rates");
  const kinds = ["wire", "config", "inspection"];
  add(table, row(["level", ...kinds], "th"));
  for (const level of Object.keys(report.levels))
    add(table, row([level, ...kinds.map(kind => {
      const rate = report.rates[`${kind} ${level}`];
      return rate ? `${rate.pass} of ${rate.of}, ${(100 * rate.pass / rate.of).toFixed(1)} %` : "";
    })]));
}

// --- details -------------------------------------------------------------------------------------

function hex(text) {
  return text.match(/../g)?.map((octet, i) => octet + (i % 16 === 15 ? "\n" : i % 8 === 7 ? "  " : " ")).join("") ?? "";
}

function frames(title, group) {
  const all = make("div");
  add(all, make("span", `${title}: ${group.count || "nothing"}`));
  for (const frame of group.frames) {
    const one = make("div", undefined, "frame");
    const open = frame.open?.length ? ` (open: ${frame.open.join(", ")})` : "";
    add(one, make("span", `${frame.at}${frame.what ? ", " + frame.what : ""}${open}`));
    add(one, make("pre", frame.text.join("\n")));
    const more = make("details");
    add(more, make("summary", `${frame.hex.length / 2} octets`), make("pre", hex(frame.hex), "hex"));
    add(all, add(one, more));
  }
  if (group.count > group.frames.length)
    add(all, make("p", `and ${group.count - group.frames.length} more`, "quiet"));
  return all;
}

function step(one, number) {
  const all = make("div", undefined, "step");
  add(all, make("b", `${number}. ${one.note}`));
  if (one.setup) add(all, make("p", `set up with ${one.setup}`, "quiet"));
  if (one.lines.length) add(all, make("pre", one.lines.join("\n")));
  if (one.sent.count) add(all, frames("sent", one.sent));
  if (!one.lines.length) {
    add(all, one.judged ? make("span", "judged by the case") : frames("expected", one.expected));
    add(all, frames("received", one.received));
  }
  const counted = [["dropped or used up", one.counters.dropped], ["punted", one.counters.punted]]
    .map(([name, counts]) => [name, Object.entries(counts).map(([reason, count]) => `${reason} ${count}`).join(", ")])
    .filter(([, text]) => text).map(([name, text]) => `${name}: ${text}`);
  if (one.goods) counted.push(`good packets around it, all forwarded: ${one.goods}`);
  if (counted.length) add(all, make("p", counted.join(" · "), "quiet"));
  for (const problem of one.problems) add(all, make("pre", problem, "problem"));
  if (one.trace) {
    const trace = make("details");
    add(all, add(trace, make("summary", "the packets' way through the steps"), make("pre", one.trace)));
  }
  return all;
}

function caseDetail(one) {
  const all = make("div", undefined, "case");
  add(all, add(make("h3", one.name + " "), badge(one.status)));
  add(all, make("p", one.text));
  if (one.known) add(all, make("p", `known: ${one.known}`, "quiet"));
  if (one.reason) add(all, make("pre", one.reason, "problem"));
  add(all, make("p", "runs: " + one.runs.map(run => `${run.name}: ${run.status}`).join(" · "), "quiet"));
  add(all, make("pre", one.replay));
  if (one.pcap) {
    const anchor = make("a", one.pcap);
    anchor.href = one.pcap;
    add(all, anchor);
  }
  one.steps.forEach((each, index) => add(all, step(each, index + 1)));
  return all;
}

function detail(one) {
  const list = make("dl");
  for (const [name, text] of [["section", one.section], ["plane", one.plane], ["area", one.area],
    ["shown by", one.testable], ["today", one.today], ["observable", one.observable], ["reason", one.reason],
    ["invariants", one.invariants.join(" ")]])
    if (text) add(list, make("dt", name), make("dd", text));
  const cell = add(make("td"), list, ...one.cases.map(name => caseDetail(cases.get(name))));
  cell.colSpan = 5;
  return add(make("tr", undefined, "detail"), cell);
}

// --- the table and its filter --------------------------------------------------------------------

function requirementRow(one) {
  const line = row([one.id, one.level, badge(one.status), one.summary, [...one.cases, ...one.invariants].join(" ")]);
  line.className = "row";
  line.id = one.id;
  line.addEventListener("click", () => {
    if (line.nextSibling?.className === "detail") line.nextSibling.remove();
    else line.after(detail(one));
  });
  return line;
}

const rows = report.requirements.map(one => ({
  one,
  line: requirementRow(one),
  text: [one.id, one.section, one.level, one.summary, one.today, one.observable, one.reason, one.status, ...one.cases,
    ...one.invariants].join(" ").toLowerCase(),
}));

function isBelow(section, wanted) {
  const [rfc, number] = section.split(" ");
  const found = /^(?:(RFC\d+)[- ]?)?(.*)$/i.exec(wanted.trim());
  if (found[1] && found[1].toUpperCase() !== rfc) return false;
  return !found[2] || number === found[2] || number.startsWith(found[2] + ".");
}

function apply() {
  const wanted = Object.fromEntries(new FormData(form));
  const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  body.replaceChildren(...rows.filter(({one, text}) =>
    words.every(word => text.includes(word))
      && ["level", "status", "plane", "testable"].every(field => !wanted[field] || one[field] === wanted[field])
      && isBelow(one.section, wanted.section)).map(({line}) => (count++, line)));
  document.getElementById("count").textContent = `${count} of ${rows.length}`;
  const set = Object.entries(wanted).filter(([, value]) => value);
  history.replaceState(null, "", set.length ? "#" + new URLSearchParams(set) : location.pathname + location.search);
}

function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const field of form.elements) if (field.name) field.value = wanted.get(field.name) ?? "";
  apply();
  const only = wanted.get("open") && document.getElementById(wanted.get("open"));
  if (only) only.click();
}

for (const field of ["level", "status", "plane", "testable"]) {
  const values = [...new Set(report.requirements.map(one => one[field]))];
  add(form.elements[field], new Option(field === "testable" ? "any proof" : `any ${field}`, ""),
    ...values.map(value => new Option(value)));
}
form.addEventListener("input", apply);
form.addEventListener("reset", () => setTimeout(apply));
form.addEventListener("submit", event => event.preventDefault());
addEventListener("hashchange", fromAddress);
facts();
rates();
summary("levels", report.levels, "level");
summary("sections", report.sections, "section");
summary("planes", report.planes, "plane");
invariants();
mutants();
fromAddress();
