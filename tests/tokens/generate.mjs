// Makes javascript.json: tokens by npm's `jose` that must open, and tokens that must not, each
// wrong in one way. `jose` makes what it is able to make; what it refuses to make is put together
// here from Node's own crypto, beside a right twin that is put together in the same way.
import { createCipheriv, createHmac, createPrivateKey, createPublicKey, randomBytes, sign } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import * as jose from "jose";

const { now, audience, keys } = JSON.parse(readFileSync(new URL("keys.json", import.meta.url)));
const jwsKeys = ["hs", "ed"];
const jweKeys = ["gcm", "cbc"];
const all = [...jwsKeys, ...jweKeys];

const b64 = (value) => Buffer.from(value).toString("base64url");
const secret = (key) => Buffer.from(keys[key].hex, "hex");
const privateKey = (seed) =>
  createPrivateKey({ key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]), format: "der", type: "pkcs8" });
const publicBytes = (key) => createPublicKey(privateKey(secret(key))).export({ format: "der", type: "spki" }).subarray(-32);

const claims = { sub: "ada", aud: audience, iat: now - 60, exp: now + 3600, jti: "b3e7c1d0-5f60", role: "editor" };
const payload = JSON.stringify(claims);
const members = (key) =>
  ["alg", "enc", "kid"].filter((name) => keys[key][name]).map((name) => `"${name}":"${keys[key][name]}"`);
const header = (key, more = []) => `{${[...members(key), ...more].join(",")}}`;

const good = [];
const bad = [];
const accept = (name, key, token) => good.push({ name, key, token });
const refuse = (name, key, token, refusal, why, twin = `twin ${key}`) =>
  bad.push({ name, key, token, refusal, why, twin });

// What a key makes of two parts, whatever they say.
function seal(key, head, content, options = {}) {
  const material = options.key ?? secret(key);
  const kind = keys[key].enc ?? keys[key].alg;
  if (kind === "HS256") {
    const mac = createHmac(options.hash ?? "sha256", material).update(options.signed ?? `${head}.${content}`).digest();
    return `${head}.${content}.${b64(mac.subarray(0, options.tag ?? 32))}`;
  }
  if (kind === "EdDSA") {
    const signature = sign(null, Buffer.from(options.signed ?? `${head}.${content}`), privateKey(material));
    return `${head}.${content}.${b64(options.signature?.(signature) ?? signature)}`;
  }
  const plain = Buffer.from(content, "base64url");
  if (kind === "A256GCM") {
    const nonce = options.nonce ?? randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", material, nonce, { authTagLength: options.tag ?? 16 });
    cipher.setAAD(Buffer.from(options.associated ?? head));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    return `${head}.${options.encrypted ?? ""}.${b64(nonce)}.${b64(sealed)}.${b64(cipher.getAuthTag())}`;
  }
  let [mac, encryption] = [material.subarray(0, 32), material.subarray(32)];
  if (options.swapped) [mac, encryption] = [encryption, mac];
  const iv = options.nonce ?? randomBytes(16);
  const cipher = createCipheriv("aes-256-cbc", encryption, iv.subarray(0, 16));
  if (options.padded) cipher.setAutoPadding(false);
  let sealed = options.sealed ?? Buffer.concat([cipher.update(options.padded ?? plain), cipher.final()]);
  const associated = Buffer.from(options.associated ?? head);
  const bits = Buffer.alloc(8);
  bits.writeBigUInt64BE(BigInt(associated.length * 8));
  const parts = options.authenticated?.({ associated, iv, sealed, bits }) ?? [associated, iv, sealed, bits];
  const tag = createHmac("sha512", mac).update(Buffer.concat(parts)).digest().subarray(0, options.tag ?? 32);
  return `${head}.${options.encrypted ?? ""}.${b64(iv)}.${b64(sealed)}.${b64(tag)}`;
}
const raw = (key, head, content = payload, options = {}) => seal(key, b64(head), b64(content), options);

// By `jose`, as its users write it.
async function byJose(key, more = {}, body = claims) {
  const head = { alg: keys[key].alg, ...(keys[key].enc && { enc: keys[key].enc }), ...(keys[key].kid && { kid: keys[key].kid }), ...more };
  if (keys[key].enc) return new jose.EncryptJWT(body).setProtectedHeader(head).encrypt(secret(key));
  const signing = keys[key].alg === "EdDSA" ? privateKey(secret(key)) : secret(key);
  return new jose.SignJWT(body).setProtectedHeader(head).sign(signing);
}
for (const key of Object.keys(keys)) {
  accept(`jose ${key}`, key, await byJose(key));
  accept(`jose with typ ${key}`, key, await byJose(key, { typ: "JWT" }));
  accept(`twin ${key}`, key, raw(key, header(key)));
  accept(`twin with typ ${key}`, key, raw(key, header(key, ['"typ":"JWT"'])));
}
accept("jose, the members of the header in another order", "hs-id",
  await new jose.SignJWT(claims).setProtectedHeader({ typ: "JWT", kid: "2027-01", alg: "HS256" }).sign(secret("hs-id")));
accept("jose, every registered claim", "gcm",
  await byJose("gcm", {}, { ...claims, iss: "https://id.example", nbf: now, auth_time: now, acr: "2", teams: ["a", "b"], seats: 3, beta: true }));
accept("white space in the header", "ed", raw("ed", '\r\n{ "alg" :\t"EdDSA" } '));
accept("an escape in the header", "cbc", raw("cbc", '{"\\u0061lg":"dir","enc":"A256CBC\\u002DHS512"}'));

// Headers. Each is authenticated with the right key, so that nothing but the header is wrong.
const typed = (key) => `twin with typ ${key}`;
const headers = [
  ["another member, crit", (key) => header(key, ['"crit":["exp"]']), "crit asks for what is not understood"],
  ["crit empty", (key) => header(key, ['"crit":[]']), "crit is never expected"],
  ["crit twice exp", (key) => header(key, ['"crit":["exp","exp"]']), "crit is never expected"],
  ["b64 false", (key) => header(key, ['"b64":false']), "RFC 7797 is not part of the profile"],
  ["b64 false, critical", (key) => header(key, ['"b64":false,"crit":["b64"]']), "RFC 7797 is not part of the profile"],
  ["b64 true", (key) => header(key, ['"b64":true']), "b64 is never expected"],
  ["zip", (key) => header(key, ['"zip":"DEF"']), "compression is not part of the profile"],
  ["zip null", (key) => header(key, ['"zip":null']), "zip is never expected, also as null"],
  ["jku", (key) => header(key, ['"jku":"http://127.0.0.1:9/keys.json"']), "a token does not say where its key is"],
  ["x5u", (key) => header(key, ['"x5u":"http://127.0.0.1:9/cert.pem"']), "a token does not say where its certificate is"],
  ["jwk", (key) => header(key, ['"jwk":{"kty":"oct","k":"AAAA"}']), "a token does not bring its key"],
  ["x5c", (key) => header(key, ['"x5c":["AAAA"]']), "a token does not bring its certificate"],
  ["x5t", (key) => header(key, ['"x5t":"AAAA"']), "x5t is never expected"],
  ["cty JWT", (key) => header(key, ['"cty":"JWT"']), "tokens are not nested"],
  ["epk", (key) => header(key, ['"epk":{}']), "epk is never expected"],
  ["p2c", (key) => header(key, ['"p2c":2147483647']), "p2c is never expected"],
  ["an unknown member", (key) => header(key, ['"x":1']), "the header has what is expected and no more"],
  ["an empty member", (key) => header(key, ['"":""']), "the header has what is expected and no more"],
  ["exp in the header", (key) => header(key, [`"exp":${now + 3600}`]), "claims stand in the payload"],
  ["typ at+jwt", (key) => header(key, ['"typ":"at+jwt"']), "a token of another type"],
  ["typ logout+jwt", (key) => header(key, ['"typ":"logout+jwt"']), "a token of another type"],
  ["typ jwt in small letters", (key) => header(key, ['"typ":"jwt"']), "the type is compared byte by byte"],
  ["typ null", (key) => header(key, ['"typ":null']), "a type is text"],
  ["typ a number", (key) => header(key, ['"typ":1']), "a type is text"],
  ["typ a list", (key) => header(key, ['"typ":["JWT"]']), "a type is text"],
  ["typ twice", (key) => header(key, ['"typ":"JWT","typ":"JWT"']), "a member stands there twice"],
  ["alg twice", (key) => header(key, [`"alg":"${keys[key].alg}"`]), "a member stands there twice"],
  ["alg twice, none first", (key) => `{"alg":"none",${members(key).join(",")}}`, "a member stands there twice"],
  ["alg twice, none last", (key) => header(key, ['"alg":"none"']), "a member stands there twice"],
  ["alg twice, once escaped", (key) => header(key, ['"\\u0061lg":"none"']), "a member stands there twice"],
  ["alg missing", (key) => `{"typ":"JWT"${keys[key].enc ? `,"enc":"${keys[key].enc}"` : ""}}`, "an algorithm is expected"],
  ["alg null", (key) => header(key).replace(/"alg":"[^"]*"/, '"alg":null'), "an algorithm is text"],
  ["alg a number", (key) => header(key).replace(/"alg":"[^"]*"/, '"alg":256'), "an algorithm is text"],
  ["alg a list", (key) => header(key).replace(/"alg":("[^"]*")/, '"alg":[$1]'), "an algorithm is text"],
  ["alg empty", (key) => header(key).replace(/"alg":"[^"]*"/, '"alg":""'), "no such algorithm"],
  ...["none", "None", "NONE", "nOnE"].map((none) => [
    `alg ${none}`, (key) => header(key).replace(/"alg":"[^"]*"/, `"alg":"${none}"`), "no algorithm is none that is known"]),
  ["alg in another case", (key) => header(key).replace(/"alg":"([^"]*)"/, (_, alg) => `"alg":"${alg === "dir" ? "DIR" : alg.toLowerCase()}"`), "names are compared byte by byte"],
  ["alg with a space behind", (key) => header(key).replace(/"alg":"([^"]*)"/, '"alg":"$1 "'), "names are compared byte by byte"],
  ["alg with a NUL behind", (key) => header(key).replace(/"alg":"([^"]*)"/, '"alg":"$1\\u0000"'), "names are compared byte by byte"],
  ["Alg with a capital", (key) => header(key).replace('"alg"', '"Alg"'), "names are compared byte by byte"],
  ["kid null", (key) => header(key, ['"kid":null']), "a key's id is text"],
  ["kid a number", (key) => header(key, ['"kid":1']), "a key's id is text"],
  ["kid an object", (key) => header(key, ['"kid":{}']), "a key's id is text"],
  ["a list", (key) => `[${header(key)}]`, "a header is an object"],
  ["a text", (key) => JSON.stringify(header(key)), "a header is an object"],
  ["an empty object", () => "{}", "an algorithm is expected"],
  ["null", () => "null", "a header is an object"],
  ["a comma at the end", (key) => header(key).replace("}", ",}"), "not JSON"],
  ["data behind the object", (key) => `${header(key)}{}`, "one object and no more"],
  ["a NUL behind the object", (key) => `${header(key)}\0`, "one object and no more"],
  ["a byte order mark", (key) => `\uFEFF${header(key)}`, "not JSON"],
  ["single quotes", (key) => header(key).replaceAll('"', "'"), "not JSON"],
  ["a comment", (key) => header(key).replace("}", "/**/}"), "not JSON"],
  ["not UTF-8", (key) => Buffer.concat([Buffer.from(header(key).slice(0, -1)), Buffer.from(',"typ":"\xff"}', "latin1")]), "not UTF-8"],
  ["UTF-16", (key) => Buffer.from(header(key), "utf16le"), "not UTF-8"],
  ["half a surrogate pair", (key) => header(key, ['"typ":"\\ud800"']), "not text"],
];
headers.forEach(([name, make, why], index) => {
  for (const pair of [jwsKeys, jweKeys]) {
    const key = pair[index % 2];
    refuse(`header ${key}: ${name}`, key, raw(key, make(key)), "header", why, typed(key));
  }
});
for (const key of all) {
  refuse(`header ${key}: longer than it may be`, key, raw(key, header(key) + " ".repeat(400)), "too_long", "more is not decoded", typed(key));
  refuse(`header ${key}: a kid where the key has no id`, key, raw(key, header(key, ['"kid":"2027-01"'])), "unknown_key", "the key has no id");
  const named = `${key}-id`;
  const other = (text) => header(named).replace("2027-01", text);
  refuse(`header ${named}: kid missing`, named, raw(named, header(named).replace(',"kid":"2027-01"', "")), "unknown_key", "the key has an id");
  refuse(`header ${named}: kid of another key`, named, raw(named, other("2027-02")), "unknown_key", "there is no such key");
  refuse(`header ${named}: kid twice`, named, raw(named, header(named, ['"kid":"2027-01"'])), "header", "a member stands there twice");
}
refuse("header hs-id: kid a path", "hs-id", raw("hs-id", header("hs-id").replace("2027-01", "../../dev/null")), "unknown_key", "a key's id is no path");
refuse("header gcm-id: kid with SQL", "gcm-id", raw("gcm-id", header("gcm-id").replace("2027-01", "' OR 1=1 --")), "unknown_key", "a key's id is no query");
refuse("header ed-id: kid empty", "ed-id", raw("ed-id", header("ed-id").replace("2027-01", "")), "unknown_key", "there is no such key");
for (const key of jweKeys) {
  const enc = (text) => header(key).replace(/"enc":"[^"]*"/, text);
  const cases = [
    ["enc missing", header(key).replace(/,"enc":"[^"]*"/, ""), "a content encryption is expected"],
    ["enc twice", header(key, [`"enc":"${keys[key].enc}"`]), "a member stands there twice"],
    ["enc null", enc('"enc":null'), "a content encryption is text"],
    ["enc in small letters", enc(`"enc":"${keys[key].enc.toLowerCase()}"`), "names are compared byte by byte"],
    ["enc of another key", enc(`"enc":"${key === "gcm" ? "A256CBC-HS512" : "A256GCM"}"`), "the key says the algorithm"],
    ["enc A128GCM", enc('"enc":"A128GCM"'), "no such content encryption"],
    ["alg A256KW", header(key).replace('"dir"', '"A256KW"'), "the key says the algorithm"],
    ["alg and enc changed over", `{"alg":"${keys[key].enc}","enc":"dir"}`, "the key says the algorithm"],
  ];
  for (const [name, head, why] of cases) refuse(`header ${key}: ${name}`, key, raw(key, head), "header", why);
}
for (const alg of ["HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "dir"])
  refuse(`header hs: alg ${alg} over a MAC of HS256`, "hs", raw("hs", `{"alg":"${alg}"}`), "header", "the key says the algorithm");
for (const alg of ["HS256", "ES256", "Ed25519", "Ed448"])
  refuse(`header ed: alg ${alg} over a signature of Ed25519`, "ed", raw("ed", `{"alg":"${alg}"}`), "header", "the key says the algorithm");
refuse("header hs: enc in a signed token", "hs", raw("hs", header("hs", ['"enc":"A256GCM"'])), "header", "a signed token has no enc");
refuse("header ed: the public key as the secret of HS256", "ed",
  raw("hs", header("hs"), payload, { key: publicBytes("ed") }), "header", "the key says the algorithm");

// The text. `parts` are those of a right token.
const stray = (part) => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  if (part.length % 4 === 0) throw new Error("this part has no spare bits");
  return part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1)) | 1];
};
for (const key of all) {
  const isSigned = jwsKeys.includes(key);
  const token = raw(key, header(key));
  const parts = token.split(".");
  const last = parts.length - 1;
  const content = isSigned ? 1 : 3;
  const put = (at, text) => parts.map((part, index) => (index === at ? text : part)).join(".");
  const text = (name, changed, refusal, why) => refuse(`text ${key}: ${name}`, key, changed, refusal, why);
  text("empty", "", "shape", "no token");
  text("no dot", parts.join(""), "shape", "no parts");
  text("only dots", ".".repeat(last), "header", "empty parts");
  text("one part fewer", parts.slice(0, last).join("."), "shape", "the number of parts");
  text("one part more", `${token}.`, "shape", "the number of parts");
  text("one part more, filled", `${token}.AAAA`, "shape", "the number of parts");
  text("a dot before", `.${token}`, "header", "the number of parts");
  text("a space before", ` ${token}`, "encoding", "white space");
  text("a space behind", `${token} `, "shape", "white space");
  text("a line break behind", `${token}\n`, "shape", "white space");
  text("Bearer before", `Bearer ${token}`, "encoding", "not part of a token");
  text("a space in the content", put(content, `${parts[content].slice(0, 8)} ${parts[content].slice(8)}`), "encoding", "white space");
  text("a NUL in the content", put(content, `${parts[content].slice(0, 8)}\0${parts[content].slice(9)}`), "encoding", "not base64url");
  text("not ASCII in the content", put(content, `${parts[content].slice(0, 8)}é${parts[content].slice(9)}`), "encoding", "not base64url");
  text("the tag padded", put(last, `${parts[last]}=`), "shape", "padding");
  text("the tag in plain base64", put(last, `+/${parts[last].slice(2)}`), "encoding", "another alphabet");
  text("the tag without its last character", put(last, parts[last].slice(0, -1)), "shape", "the length of the tag");
  text("the tag empty", put(last, ""), "shape", "the length of the tag");
  text("the tag of zeros", put(last, "A".repeat(parts[last].length)), "authentication", "not what the key makes");
  text("the tag with stray bits", put(last, stray(parts[last])), "encoding", "a second spelling");
  text("the header of another spelling", put(0, b64(`${header(key)} `)), "authentication", "the header is authenticated as text");
  text("another key", raw(key, header(key), payload, { key: randomBytes(secret(key).length) }), "authentication", "not what the key makes");
  text("longer than it may be", raw(key, header(key), JSON.stringify({ ...claims, note: "x".repeat(2000) })), "too_long", "capped before it is decoded");

  // These are authenticated as they are spelled.
  if (isSigned) {
    const body = b64(`${payload} `.padEnd(160 - (160 % 3) + 1));
    const spelled = (name, head, content, why) =>
      refuse(`text ${key}: ${name}`, key, seal(key, head, content), "encoding", why);
    accept(`long twin ${key}`, key, seal(key, b64(header(key)), body));
    spelled("the content padded", b64(header(key)), `${body}==`, "padding");
    spelled("the content with stray bits", b64(header(key)), stray(body), "a second spelling");
    spelled("the content with a line break", b64(header(key)), `${body.slice(0, 4)}\n${body.slice(4)}`, "white space");
    spelled("the header padded", `${b64(`${header(key)} `).padEnd(Math.ceil(b64(`${header(key)} `).length / 4) * 4, "=")}=`, body, "padding");
    const spare = [header(key), `${header(key)} `, `${header(key)}  `].map(b64).find((part) => part.length % 4 !== 0);
    accept(`spare twin ${key}`, key, seal(key, spare, body));
    spelled("the header with stray bits", stray(spare), body, "a second spelling");
  } else {
    const spare = [header(key), `${header(key)} `].map(b64).find((part) => part.length % 4 !== 0);
    accept(`spare twin ${key}`, key, seal(key, spare, b64(payload)));
    refuse(`text ${key}: the header with stray bits`, key, seal(key, stray(spare), b64(payload)), "encoding", "a second spelling", `spare twin ${key}`);
    text("an encrypted key", raw(key, header(key), payload, { encrypted: "AAAA" }), "shape", "with dir there is none");
    text("an encrypted key of one character", raw(key, header(key), payload, { encrypted: "A" }), "shape", "with dir there is none");
    text("the nonce empty", put(2, ""), "shape", "the length of the nonce");
    text("the nonce longer", put(2, `${parts[2]}AAAA`), "shape", "the length of the nonce");
    text("the nonce padded", put(2, `${parts[2]}=`), "shape", "padding");
    text("another nonce", put(2, b64(randomBytes(key === "gcm" ? 12 : 16))), "authentication", "not what the key made");
    text("the content empty", put(3, ""), key === "gcm" ? "authentication" : "shape", "the content is gone");
    text("the content cut", put(3, b64(Buffer.from(parts[3], "base64url").subarray(0, 16))), "authentication", "the content is cut");
    text("another associated text", raw(key, header(key), payload, { associated: "{}" }), "authentication", "the header is authenticated");
    text("three parts", parts.slice(2).join("."), "header", "the number of parts");
  }
}
// What a signature or tag is made of.
refuse("tag hs: half of it", "hs", raw("hs", header("hs"), payload, { tag: 16 }), "shape", "the length of the tag");
refuse("tag hs: the first half of HS512", "hs", raw("hs", header("hs"), payload, { hash: "sha512" }), "authentication", "another hash");
refuse("tag hs: all of HS512", "hs", raw("hs", header("hs"), payload, { hash: "sha512", tag: 64 }), "shape", "another hash");
refuse("tag hs: of the content alone", "hs", raw("hs", header("hs"), payload, { signed: b64(payload) }), "authentication", "the header is authenticated");
refuse("tag hs: of the decoded parts", "hs", raw("hs", header("hs"), payload, { signed: `${header("hs")}.${payload}` }), "authentication", "the text is authenticated");
refuse("tag ed: of the content alone", "ed", raw("ed", header("ed"), payload, { signed: b64(payload) }), "authentication", "the header is authenticated");
refuse("tag ed: half of it", "ed", raw("ed", header("ed"), payload, { signature: (bytes) => bytes.subarray(0, 32) }), "shape", "the length of the signature");
refuse("tag ed: its halves changed over", "ed",
  raw("ed", header("ed"), payload, { signature: (bytes) => Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)]) }), "authentication", "not what the key makes");
const order = 2n ** 252n + 27742317777372353535851937790883648493n;
refuse("tag ed: the scalar beyond the order of the group", "ed", raw("ed", header("ed"), payload, { signature(bytes) {
  let scalar = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString("hex")}`) + order;
  return Buffer.concat([bytes.subarray(0, 32), Buffer.from(scalar.toString(16).padStart(64, "0"), "hex").reverse()]);
} }), "authentication", "a second spelling of the signature (RFC 8032, section 5.1.7)");
refuse("tag gcm: 96 bits", "gcm", raw("gcm", header("gcm"), payload, { tag: 12 }), "shape", "the length of the tag");
refuse("tag gcm: 32 bits", "gcm", raw("gcm", header("gcm"), payload, { tag: 4 }), "shape", "the length of the tag");
refuse("nonce gcm: 64 bits", "gcm", raw("gcm", header("gcm"), payload, { nonce: randomBytes(8) }), "shape", "the length of the nonce");
refuse("nonce gcm: 128 bits", "gcm", raw("gcm", header("gcm"), payload, { nonce: randomBytes(16) }), "shape", "the length of the nonce");
refuse("tag cbc: 128 bits", "cbc", raw("cbc", header("cbc"), payload, { tag: 16 }), "shape", "the length of the tag");
refuse("tag cbc: 512 bits", "cbc", raw("cbc", header("cbc"), payload, { tag: 64 }), "shape", "the length of the tag");
refuse("tag cbc: without the length", "cbc", raw("cbc", header("cbc"), payload, { authenticated: ({ associated, iv, sealed }) => [associated, iv, sealed] }), "authentication", "the length of the header is authenticated");
refuse("tag cbc: without the nonce", "cbc", raw("cbc", header("cbc"), payload, { authenticated: ({ associated, sealed, bits }) => [associated, sealed, bits] }), "authentication", "the nonce is authenticated");
refuse("tag cbc: without the header", "cbc", raw("cbc", header("cbc"), payload, { authenticated: ({ iv, sealed, bits }) => [iv, sealed, bits] }), "authentication", "the header is authenticated");
refuse("tag cbc: of the content alone", "cbc", raw("cbc", header("cbc"), payload, { authenticated: ({ sealed }) => [sealed] }), "authentication", "all parts are authenticated");
refuse("key cbc: its halves changed over", "cbc", raw("cbc", header("cbc"), payload, { swapped: true }), "authentication", "the first half authenticates");
refuse("content cbc: no whole blocks", "cbc", raw("cbc", header("cbc"), payload, { sealed: randomBytes(33) }), "shape", "not what the cipher makes");
refuse("content cbc: none", "cbc", raw("cbc", header("cbc"), payload, { sealed: Buffer.alloc(0) }), "shape", "not what the cipher makes");
for (const [name, pad] of [["of zero", 0], ["longer than a block", 17], ["of 255", 255]])
  refuse(`content cbc: padding ${name}`, "cbc",
    raw("cbc", header("cbc"), payload, { padded: Buffer.concat([Buffer.from(payload.padEnd(159)), Buffer.from([pad])]) }), "authentication", "not PKCS #7");

// Whole tokens of other kinds, by `jose`.
const kinds = {
  "HS384": async () => new jose.SignJWT(claims).setProtectedHeader({ alg: "HS384" }).sign(secret("hs-id")),
  "HS512": async () => new jose.SignJWT(claims).setProtectedHeader({ alg: "HS512" }).sign(secret("hs-id")),
  "an unsecured token": async () => new jose.UnsecuredJWT(claims).encode(),
  "a critical exp": async () => new jose.CompactSign(new TextEncoder().encode(payload)).setProtectedHeader({ alg: "HS256", crit: ["exp"], exp: 1 }).sign(secret("hs-id"), { crit: { exp: true } }),
};
for (const alg of ["RS256", "PS256", "ES256", "ES384", "Ed25519"])
  kinds[alg] = async () => new jose.SignJWT(claims).setProtectedHeader({ alg }).sign((await jose.generateKeyPair(alg)).privateKey);
for (const [name, make] of Object.entries(kinds))
  refuse(`jose hs-id: ${name}`, "hs-id", await make(), "header", "another kind of token", "jose hs-id");
refuse("jose ed: the name Ed25519 of RFC 9864", "ed",
  await new jose.SignJWT(claims).setProtectedHeader({ alg: "Ed25519" }).sign(privateKey(secret("ed"))), "header", "the profile has the name EdDSA", "jose ed");
const encrypt = (alg, enc, key) => new jose.EncryptJWT(claims).setProtectedHeader({ alg, enc }).encrypt(key);
for (const [alg, enc, key] of [
  ["dir", "A128GCM", randomBytes(16)], ["dir", "A192GCM", randomBytes(24)], ["dir", "A128CBC-HS256", randomBytes(32)],
  ["A256KW", "A256GCM", secret("gcm")], ["A256GCMKW", "A256GCM", secret("gcm")], ["PBES2-HS256+A128KW", "A256GCM", secret("gcm")],
  ["ECDH-ES", "A256GCM", (await jose.generateKeyPair("ECDH-ES")).publicKey],
  ["RSA-OAEP-256", "A256GCM", (await jose.generateKeyPair("RSA-OAEP-256")).publicKey],
]) {
  refuse(`jose gcm: ${alg} with ${enc}`, "gcm", await encrypt(alg, enc, key), "header", "another kind of token", "jose gcm");
}
refuse("jose gcm: a signed token", "gcm", await byJose("hs"), "header", "another form", "jose gcm");
refuse("jose hs: an encrypted token", "hs", await byJose("gcm"), "header", "another form", "jose hs");
const nested = new TextEncoder().encode(await byJose("hs"));
refuse("jose gcm: a nested token", "gcm",
  await new jose.CompactEncrypt(nested).setProtectedHeader({ alg: "dir", enc: "A256GCM", cty: "JWT" }).encrypt(secret("gcm")), "header", "tokens are not nested", "jose gcm");
refuse("jose hs: as JSON", "hs", JSON.stringify(await new jose.FlattenedSign(new TextEncoder().encode(payload)).setProtectedHeader({ alg: "HS256" }).sign(secret("hs"))), "shape", "another serialization", "jose hs");
refuse("jose hs: another secret", "hs", await new jose.SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(randomBytes(32)), "authentication", "not what the key makes", "jose hs");
refuse("jose ed: another key", "ed", await new jose.SignJWT(claims).setProtectedHeader({ alg: "EdDSA" }).sign(privateKey(randomBytes(32))), "authentication", "not what the key makes", "jose ed");
refuse("jose gcm: another secret", "gcm", await encrypt("dir", "A256GCM", randomBytes(32)), "authentication", "not what the key makes", "jose gcm");
refuse("jose cbc: another secret", "cbc", await encrypt("dir", "A256CBC-HS512", randomBytes(64)), "authentication", "not what the key makes", "jose cbc");

const made_by = `npm jose 6.2.17 and node:crypto of Node ${process.version}`;
writeFileSync(new URL("javascript.json", import.meta.url), `${JSON.stringify({ made_by, good, bad }, null, 1)}\n`);
console.log(`${good.length} good, ${bad.length} bad`);
