// Draws random values for the types of a metadata's registry and encodes them: a
// third reading of the type definitions, beside polkadot.js and ours.
import { compactToU8a, u8aConcat, u8aToHex } from '@polkadot/util';

const maxDepth = 5; // deeper values take the shortest way out
const text = 'abcXYZ 09_ä€😀';

/** Generator makes encodings of the types of one registry from one seed. */
export class Generator {
  constructor(registry, random) {
    this.registry = registry;
    this.random = random;
    this.types = new Map(registry.lookup.types.map((t) => [t.id.toNumber(), t.type]));
    this.depths = this.minimalDepths();
  }

  ids() { return [...this.types.keys()]; }

  type(id) { return this.types.get(Number(id)); }

  path(id) { return this.type(id).path.map(String); }

  /** variants lists the variants of an enum type, or nothing. */
  variants(id) {
    const { def } = this.type(id);
    return def.isVariant ? def.asVariant.variants : [];
  }

  /** minimalDepths finds, for every type, how deep its shallowest value nests. */
  minimalDepths() {
    const depth = new Map();
    const known = (list) => (list.every((id) => depth.has(id)) ? Math.max(0, ...list.map((id) => depth.get(id))) + 1 : Infinity);
    for (let changed = true; changed;) {
      changed = false;
      for (const id of this.ids()) {
        const d = this.shallowest(id, known);
        if (d < (depth.get(id) ?? Infinity)) { depth.set(id, d); changed = true; }
      }
    }
    return depth;
  }

  shallowest(id, known) {
    const { def } = this.type(id);
    if (def.isVariant) {
      const each = def.asVariant.variants.map((v) => known(v.fields.map((f) => f.type.toNumber())));
      return each.length ? Math.min(...each) : 0;
    }
    if (def.isComposite) return known(def.asComposite.fields.map((f) => f.type.toNumber()));
    if (def.isTuple) return known(def.asTuple.map((t) => t.toNumber()));
    if (def.isArray) return known([def.asArray.type.toNumber()]);
    if (def.isCompact) return known([def.asCompact.type.toNumber()]);
    return 0;
  }

  /** encode draws a value of the type; variant forces which one of an enum. */
  encode(id, depth = 0, variant) {
    id = Number(id);
    const { def } = this.type(id);
    const special = this.special(id, depth);
    if (special) return special;
    if (def.isVariant) return this.encodeVariant(id, depth, variant);
    if (def.isComposite) return u8aConcat(...def.asComposite.fields.map((f) => this.encode(f.type, depth + 1)));
    if (def.isTuple) return u8aConcat(...def.asTuple.map((t) => this.encode(t, depth + 1)));
    if (def.isArray) return u8aConcat(...Array.from({ length: def.asArray.len.toNumber() }, () => this.encode(def.asArray.type, depth + 1)));
    if (def.isSequence) return this.encodeSequence(def.asSequence.type, depth, this.length(depth));
    if (def.isCompact) return compactToU8a(this.compactValue(def.asCompact.type));
    if (def.isPrimitive) return this.encodePrimitive(def.asPrimitive.type);
    if (def.isBitSequence) return this.encodeBits();
    throw new Error(`type ${id} has a definition this generator does not know: ${def.type}`);
  }

  length(depth) { return depth > maxDepth ? 0 : [0, 1, 2, 3, 17][this.random.below(5)]; }

  encodeVariant(id, depth, variant) {
    const all = this.variants(id);
    if (all.length === 0) throw new Error(`type ${id} has no values`);
    if (!variant) {
      const least = Math.min(...all.map((v) => this.variantDepth(v)));
      const fit = all.filter((v) => this.variantDepth(v) <= (depth > maxDepth ? least : Infinity));
      variant = fit[this.random.below(fit.length)];
    }
    return u8aConcat([variant.index.toNumber()], ...variant.fields.map((f) => this.encode(f.type, depth + 1)));
  }

  variantDepth(variant) { return Math.max(0, ...variant.fields.map((f) => this.depths.get(f.type.toNumber()) ?? Infinity)); }

  encodeSequence(type, depth, count) {
    return u8aConcat(compactToU8a(count), ...Array.from({ length: count }, () => this.encode(type, depth + 1)));
  }

  /** special handles types whose definition does not tell all about their values. */
  special(id, depth) {
    const path = this.path(id);
    const { def } = this.type(id);
    if (def.isTuple && def.asTuple.length === 2 && this.path(def.asTuple[0]).at(-1) === 'KeyTypeId') { // a kind and a public key of 32 bytes
      return u8aConcat(this.encode(def.asTuple[0], depth + 1), Uint8Array.of(128), this.random.bytes(32));
    }
    switch (path.at(-1)) {
      case 'BTreeMap':
      case 'BTreeSet': { // keys are in order: one key is
        const inner = this.type(id).def.asComposite.fields[0].type;
        return this.encodeSequence(this.type(inner).def.asSequence.type, depth, this.random.below(2));
      }
      case 'Era':
        return this.encodeEra();
      case 'Percent':
      case 'Permill':
      case 'Perbill':
      case 'Perquintill': // shares of one: the type's integer may not exceed it
        return this.encodeShare(this.type(id).def.asComposite.fields[0].type, { Percent: 100n, Permill: 10n ** 6n, Perbill: 10n ** 9n, Perquintill: 10n ** 18n }[path.at(-1)]);
      case 'UncheckedExtrinsic':
        return this.extrinsics[this.random.below(this.extrinsics.length)];
      default:
        return undefined;
    }
  }

  /** encodeShare draws a share of at most one. */
  encodeShare(inner, one) {
    const bytes = Number(this.type(inner).def.asPrimitive.type.toLowerCase().slice(1)) / 8;
    const draw = this.integer(bytes);
    const value = draw.reduceRight((n, b) => n * 256n + BigInt(b), 0n) % (one + 1n);
    return Uint8Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
  }

  /** encodeEra draws an era in its canonical form: 2 bytes hold period and phase. */
  encodeEra() {
    const log = 2 + this.random.below(15); // period 4 to 65536
    if (this.random.below(4) === 0) return Uint8Array.of(0);
    const period = 2 ** log;
    const quantize = Math.max(period >> 12, 1);
    const phase = Math.floor(this.random.below(period) / quantize);
    const code = Math.min(15, Math.max(1, log - 1)) | (phase << 4);
    return Uint8Array.of(code & 255, code >> 8);
  }

  encodePrimitive(kind) {
    const name = kind.toLowerCase();
    if (name === 'bool') return Uint8Array.of(this.random.below(2));
    if (name === 'str') {
      const chars = Array.from({ length: this.random.below(12) }, () => [...text][this.random.below([...text].length)]);
      const bytes = new TextEncoder().encode(chars.join(''));
      return u8aConcat(compactToU8a(bytes.length), bytes);
    }
    if (name === 'char') return Uint8Array.of(65 + this.random.below(26), 0, 0, 0);
    const bytes = Number(name.slice(1)) / 8;
    return this.integer(bytes);
  }

  /** integer draws little-endian bytes, with the ends of the range well represented. */
  integer(bytes) {
    const shape = this.random.below(6);
    if (shape === 0) return new Uint8Array(bytes);
    if (shape === 1) return new Uint8Array(bytes).fill(255);
    const value = this.random.bytes(bytes);
    if (shape === 2) value.fill(0, 1);
    if (shape === 3) value.fill(0, Math.ceil(bytes / 2));
    return value;
  }

  /** compactValue draws the number inside a compact; wrappers of numbers are looked through. */
  compactValue(id) {
    const { def } = this.type(id);
    if (def.isComposite && def.asComposite.fields.length === 1) return this.compactValue(def.asComposite.fields[0].type);
    if (def.isTuple && def.asTuple.length === 0) return BigInt(this.random.below(2 ** 30));
    const bytes = Number(def.asPrimitive.type.toLowerCase().slice(1)) / 8;
    return this.integer(bytes).reduceRight((n, byte) => n * 256n + BigInt(byte), 0n);
  }

  encodeBits() {
    const bits = this.random.below(20);
    const bytes = this.random.bytes((bits + 7) >> 3);
    if (bits % 8) bytes[bytes.length - 1] &= (1 << (bits % 8)) - 1;
    return u8aConcat(compactToU8a(bits), bytes);
  }
}

// polkadot.js takes a short input for an account index and a bare one of 32 bytes
// for an account, so what it decodes must not be the whole input.
const padding = new Uint8Array(64);

/** reencode lets polkadot.js decode bytes as a type and encode them again. */
export function reencode(registry, id, bytes) {
  const value = registry.createTypeUnsafe(registry.createLookupType(Number(id)), [u8aConcat(bytes, padding)]);
  return u8aToHex(value.toU8a());
}
