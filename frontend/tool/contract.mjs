// Holds the contract against that of the last release: what clients rely on is still there, unless it was deprecated.
// `node tool/contract.mjs RELEASED NOW`, two files of SDL. docs/api.md has the policy.
import { readFileSync } from "node:fs";
import { BreakingChangeType, buildSchema, findBreakingChanges, isEnumType, isInputObjectType, isInterfaceType, isObjectType } from "graphql";

const [released, now] = process.argv.slice(2).map((file) => buildSchema(readFileSync(file, "utf8")));

// What a release has said to be on its way out, as `Type.field`, `Type.field.argument` or `Enum.VALUE`.
function deprecated(schema) {
  const names = new Set();
  const note = (name, { deprecationReason }) => deprecationReason && names.add(name);
  for (const type of Object.values(schema.getTypeMap())) {
    if (isEnumType(type)) type.getValues().forEach((value) => note(`${type}.${value.name}`, value));
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      note(`${type}.${field.name}`, field);
      for (const argument of field.args ?? []) note(`${type}.${field.name}.${argument.name}`, argument);
    }
  }
  return names;
}

const { FIELD_REMOVED, ARG_REMOVED, VALUE_REMOVED_FROM_ENUM } = BreakingChangeType;
const announced = deprecated(released);
const wasAnnounced = ({ type, description }) =>
  [FIELD_REMOVED, ARG_REMOVED, VALUE_REMOVED_FROM_ENUM].includes(type) &&
  [...announced].some((name) => {
    const [owner, field, argument] = name.split(".");
    const words = [`${owner}.${field} was removed`, `${owner}.${field} arg ${argument} was removed`, `${field} was removed from enum type ${owner}`];
    return words.some((start) => description.startsWith(start));
  });
const broken = findBreakingChanges(released, now).filter((change) => !wasAnnounced(change));
for (const { description } of broken) console.error(`breaks clients of the last release: ${description.replace(/\.$/, "")}`);
if (broken.length) {
  console.error("Deprecate it first, for a release (docs/api.md, Changes to the contract).");
  process.exit(1);
}
console.log("The contract holds what the last release promised.");
