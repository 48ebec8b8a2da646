import { button, call, el, money, person, picture, tell } from "./page.js";

const isFree = ({ price }) => /^0(\.0+)? /.test(price);

/** What something costs, and what it cost before. */
function price(product) {
  const now = el("strong", {}, isFree(product) ? "Free" : money(product.price));
  if (product.price === product.basePrice) return el("p", { className: "price" }, now);
  const before = el("s", {}, el("span", { className: "unseen" }, "Instead of "), money(product.basePrice));
  return el("p", { className: "price" }, before, " ", now);
}

function card(product, owned) {
  const { title, about } = product;
  const art = el("img", { src: picture(product), alt: "" });
  return el(
    "li",
    { className: "card" },
    el("div", { className: "art" }, art),
    el("div", { className: "words" }, el("h3", {}, title), el("p", {}, about), ...gone(product)),
    el("div", { className: "sale" }, price(product), offer(product, owned)),
  );
}

function offer(product, owned) {
  const ref = `${product.type}/${product.id}`;
  if (owned.has(ref) || product.access?.code === "suspended") return button("/library", "In your library", "quiet");
  const link = button(`/pay/${ref}`, isFree(product) ? "Get" : "Buy");
  link.append(el("span", { className: "unseen" }, ` ${product.title}`));
  return link;
}

/** Why somebody no longer has what they bought. */
function gone({ access }) {
  if (!["revoked", "suspended"].includes(access?.code)) return [];
  return [el("p", { className: "gone" }, access.reason)];
}

/** What is bought for good needs no second buying. */
async function owned() {
  if (!(await person)) return new Set();
  const { purchases } = await call("/api/purchases/mine");
  const kept = purchases.filter((each) => each.usable && each.endsAt === null);
  return new Set(kept.map((each) => `${each.productType}/${each.productId}`));
}

try {
  const [products, mine] = await Promise.all([call("/shop/products"), owned()]);
  const cards = (wanted) => products.filter(wanted).map((each) => card(each, mine));
  document.getElementById("designs").append(...cards(({ type }) => type === "design"));
  document.getElementById("others").append(...cards(({ type }) => type !== "design"));
} catch (problem) {
  tell(document.getElementById("message"), problem.message);
}
