import * as assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  type Cidr,
  formatAddress,
  formatNetwork,
  holds,
  overlap,
  parseAddress,
  parseCidr,
  reservedFor,
  size,
} from "../../../stacks/settings/cidr";

const address = fc.nat(2 ** 32 - 1).map((high) => high);
const cidr = fc.tuple(fc.nat(2 ** 31 - 1), fc.boolean(), fc.nat(32)).map(([low, high, prefix]) => {
  const text = `${formatAddress(low + (high ? 2 ** 31 : 0))}/${prefix}`;
  return parseCidr(text) ?? assert.fail(text);
});
/** Two small networks close to each other, so that overlaps are common. */
const near = fc.tuple(fc.nat(1023), fc.integer({ min: 22, max: 32 })).map(([low, prefix]) => {
  return parseCidr(`${formatAddress(2 ** 24 * 10 + low)}/${prefix}`)!;
});

describe("IPv4 networks", () => {
  it("addresses survive being written and read", () => {
    fc.assert(fc.property(address, (one) => parseAddress(formatAddress(one)) === one));
  });

  it("a network's clean form is the same network, and stays as it is", () => {
    fc.assert(
      fc.property(cidr, (one) => {
        const clean = parseCidr(formatNetwork(one))!;
        assert.deepEqual([clean.first, clean.last, clean.address], [one.first, one.last, one.first]);
        assert.equal(formatNetwork(clean), formatNetwork(one));
      }),
    );
  });

  it("hold the address that they were written with, have 2^(32-prefix) addresses and begin on a multiple of that", () => {
    fc.assert(
      fc.property(cidr, (one) => {
        assert.ok(holds(one, one.address));
        assert.equal(size(one), 2 ** (32 - one.prefix));
        assert.equal(one.first % size(one), 0);
      }),
    );
  });

  it("overlap exactly when they share an address, both ways", () => {
    const shared = (a: Cidr, b: Cidr): boolean => {
      for (let one = a.first; one <= a.last; one++) if (holds(b, one)) return true;
      return false;
    };
    fc.assert(
      fc.property(near, near, (a, b) => {
        assert.equal(overlap(a, b), shared(a, b));
        assert.equal(overlap(a, b), overlap(b, a));
      }),
    );
  });

  it("that overlap lie one in the other", () => {
    fc.assert(
      fc.property(cidr, cidr, (a, b) => {
        fc.pre(overlap(a, b));
        assert.ok((holds(a, b.first) && holds(a, b.last)) || (holds(b, a.first) && holds(b, a.last)));
      }),
    );
  });

  it("are not read from other texts", () => {
    for (const text of [
      "",
      "10.0.0.0",
      "10.0.0.0/33",
      "10.0.0/8",
      "256.0.0.0/8",
      "10.0.0.0/-1",
      "10.0.0.0/8 ",
      "::/0",
      "01.2.3.4/8",
    ]) {
      assert.equal(parseCidr(text), undefined, text);
    }
    fc.assert(
      fc.property(fc.string(), (text) => /^\d+\.\d+\.\d+\.\d+\/\d+$/.test(text) || parseCidr(text) === undefined),
    );
  });

  it("know the ranges in which nothing can live", () => {
    assert.equal(reservedFor(parseCidr("127.0.0.0/24")!), "loopback");
    assert.equal(reservedFor(parseCidr("0.0.0.0/0")!), "this network");
    assert.equal(reservedFor(parseCidr("239.1.0.0/16")!), "multicast");
    for (const text of ["10.42.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "203.0.113.0/24"]) {
      assert.equal(reservedFor(parseCidr(text)!), undefined, text);
    }
  });
});
