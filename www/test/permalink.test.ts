import { expect, test } from 'vitest';
import { address, placeOf, type Place } from '../src/lib/permalink';

test('an address says all that is on show and brings it back', () => {
  const place: Place = { view: 'what-if', photo: 'cat & dog.jpg', model: 'sknet50', zoom: 1.37, center: [0.4612, 0.25], unit: 'SK_3_4' };
  const hash = address(place);
  expect(hash).toBe('#/what-if?photo=cat+%26+dog.jpg&model=sknet50&zoom=1.37&at=0.4612,0.25&unit=SK_3_4');
  expect(placeOf(hash)).toEqual(place);
  expect(placeOf(address({ view: 'network' }))).toEqual({ view: 'network' });
  const field: Place = { view: 'field', unit: 'SK_3_4', spot: [0.25, 0.6], gradient: 'differentiated' };
  expect(address(field)).toBe('#/field?unit=SK_3_4&spot=0.25,0.6&gradient=differentiated');
  expect(placeOf(address(field))).toEqual(field);
});

test.each(['', '#', '#engine', '#/nowhere?zoom=big&at=0.5', '#/zoom?at=0.5,north', '#/zoom?spot=left&gradient=free'])('%j is the first view without demands', (hash) => {
  expect(placeOf(hash)).toEqual({ view: 'zoom' });
});
