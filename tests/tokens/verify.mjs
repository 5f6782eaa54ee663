// Asks npm's `jose` about tokens of ours, and records in verified.json what it says.
//
//   CLEARANCE_WRITE_TOKENS=/tmp/ours.json cargo test --test tokens tokens_for_another_program
//   npm run verify /tmp/ours.json
import { createPrivateKey, createPublicKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import * as jose from "jose";

const { now, audience, keys } = JSON.parse(readFileSync(new URL("keys.json", import.meta.url)));
const tokens = [];
for (const { key, token } of JSON.parse(readFileSync(process.argv[2]))) {
  const secret = Buffer.from(keys[key].hex, "hex");
  const options = { audience, currentDate: new Date(now * 1000), requiredClaims: ["sub", "jti", "iat", "exp"] };
  let verified;
  if (keys[key].enc) {
    verified = await jose.jwtDecrypt(token, secret, {
      ...options, keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: [keys[key].enc] });
  } else {
    const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), secret]);
    const verifying = keys[key].alg === "EdDSA"
      ? createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }))
      : secret;
    verified = await jose.jwtVerify(token, verifying, { ...options, algorithms: [keys[key].alg] });
  }
  if (verified.protectedHeader.kid !== keys[key].kid) throw new Error(`${key}: another kid`);
  tokens.push({ key, token, accepted: true, claims: verified.payload });
}
const by = `npm jose 6.2.17, Node ${process.version}`;
writeFileSync(new URL("verified.json", import.meta.url), `${JSON.stringify({ by, tokens }, null, 1)}\n`);
console.log(`${tokens.length} accepted`);
