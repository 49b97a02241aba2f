import assert from 'node:assert/strict';
import { test } from 'node:test';

import { namespaceOf } from '../../src/tls/identity.ts';

const cases: [names: string | undefined, expected: string | RegExp][] = [
  ['URI:spiffe://cluster.local/ns/shop/sa/cart', 'shop'],
  ['URI:spiffe://td-1.example/ns/shop-2/sa/a.b', 'shop-2'],
  ['DNS:cart.shop.svc', 'shop'],
  ['DNS:cart.shop.svc.cluster.local', 'shop'],
  ['DNS:CART.Shop.svc', 'shop'],
  [
    'DNS:cart, DNS:cart.shop, DNS:cart.shop.svc, DNS:cart.shop.svc.cluster.local, IP Address:10.0.0.1',
    'shop',
  ],
  // A SPIFFE name decides alone.
  ['DNS:cart.pay.svc, URI:spiffe://cluster.local/ns/shop/sa/cart', 'shop'],
  ['DNS:cart.pay.svc, URI:https://example.com/x', 'pay'],
  [undefined, /^the certificate has no alternative names; give it a URI spiffe:/],
  ['', /no alternative names/],
  ['DNS:cart.shop', /^the certificate's names \(DNS:cart\.shop\) say no namespace; give it/],
  ['DNS:cart.shop.svc.other.domain', /say no namespace/],
  ['DNS:a.cart.shop.svc', /say no namespace/],
  ['DNS:*.shop.svc', /say no namespace/],
  [
    'DNS:cart.shop.svc, DNS:cart.pay.svc',
    /^the certificate names 2 namespaces \(shop, pay\); one is allowed$/,
  ],
  ['URI:spiffe://a/ns/shop/sa/x, URI:spiffe://a/ns/shop/sa/y', /^the certificate has 2 SPIFFE names; one/],
  [
    'DNS:cart.shop.svc, URI:spiffe://a/workload/x',
    /^the certificate's name spiffe:\/\/a\/workload\/x is not of/,
  ],
  ['URI:spiffe://a/ns/shop', /is not of the form/],
  ['URI:spiffe://a/ns/shop/sa/x/more', /is not of the form/],
  ['URI:spiffe://a/ns/../sa/x', /is not of the form/],
  ['URI:spiffe://a/ns/Shop/sa/x', /is not of the form/],
  ['URI:SPIFFE://a/ns/shop/sa/x, DNS:cart.pay.svc', /is not of the form/],
  // How Node writes a DNS name that itself holds ", DNS:cart.shop.svc".
  [String.raw`DNS:"evil.example, DNS:cart.shop.svc"`, /characters that names do not have/],
];

for (const [names, expected] of cases) {
  const claim = typeof expected === 'string' ? `is of ${expected}` : 'says no namespace';
  test(`a certificate with the names ${JSON.stringify(names)} ${claim}`, () => {
    const { namespace, problem } = namespaceOf(names, 'cluster.local');
    if (typeof expected === 'string') assert.equal(namespace, expected, problem);
    else assert.match(problem ?? `namespace ${namespace}`, expected);
  });
}
