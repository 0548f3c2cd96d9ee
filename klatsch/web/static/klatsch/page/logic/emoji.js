/** Emoji by their names, for `:` in the composer and for reactions. No DOM. */

const TABLE = `
😀 grinning happy|😄 smile happy|😁 beaming grin|😅 sweat_smile relief|😂 joy tears laugh|🤣 rofl laugh|🙂 slight_smile|🙃 upside_down|😉 wink
😊 blush|😇 angel halo|🥰 hearts love|😍 heart_eyes love|😘 kiss|😋 yum|😜 crazy tongue|🤗 hug|🤔 thinking hmm|🤫 shush|🤐 zipper|😐 neutral
😏 smirk|😒 unamused|🙄 eye_roll|😬 grimace|😌 relieved|😔 pensive sad|😴 sleeping tired|🤒 sick|🤕 hurt|🤯 mind_blown|🥳 partying party|😎 cool sunglasses
🤓 nerd|😕 confused|😟 worried|🙁 frown sad|😮 open_mouth wow|😲 astonished|🥺 pleading|😢 cry sad|😭 sob cry|😱 scream|😤 huff|😡 angry rage
🤬 swearing|💀 skull dead|💩 poop|👻 ghost|🤖 robot|😺 cat_smile|🙈 see_no_evil monkey|🙉 hear_no_evil|🙊 speak_no_evil|❤️ heart love red_heart
🧡 orange_heart|💛 yellow_heart|💚 green_heart|💙 blue_heart|💜 purple_heart|🖤 black_heart|💔 broken_heart|💯 hundred|💥 boom|💫 dizzy|💤 zzz
👋 wave hello|🤚 raised_hand|✋ hand stop|🖖 vulcan|👌 ok_hand|🤌 pinched|✌️ victory peace|🤞 fingers_crossed luck|🤟 love_you|🤘 rock|👈 left
👉 right|👆 up|👇 down|👍 thumbs_up +1 yes|👎 thumbs_down -1 no|✊ fist|👊 punch|👏 clap applause|🙌 raised_hands hooray|🤝 handshake deal|🙏 pray thanks please
💪 muscle strong|👀 eyes look|🧠 brain|👶 baby|🙋 raising_hand|🤷 shrug|🤦 facepalm|💁 info_person|🏃 run|💃 dance|👪 family|🐶 dog|🐱 cat|🐭 mouse
🦊 fox|🐻 bear|🐼 panda|🦁 lion|🐸 frog|🐵 monkey_face|🐔 chicken|🐧 penguin|🐦 bird|🦉 owl|🐝 bee|🦋 butterfly|🐢 turtle|🐍 snake|🐙 octopus|🐳 whale
🐬 dolphin|🦄 unicorn|🌵 cactus|🌲 tree|🍀 clover luck|🌷 tulip flower|🌹 rose|🌻 sunflower|🍁 maple autumn|🌍 earth world|🌙 moon|⭐ star|🌟 glowing_star|✨ sparkles
⚡ zap lightning|🔥 fire hot|🌈 rainbow|☀️ sun|⛅ cloud|🌧️ rain|❄️ snow|☔ umbrella|🍎 apple|🍋 lemon|🍌 banana|🍉 melon|🍓 strawberry|🍒 cherries
🥑 avocado|🥕 carrot|🌽 corn|🍞 bread|🧀 cheese|🍔 burger|🍕 pizza|🌮 taco|🍜 noodles|🍣 sushi|🍦 ice_cream|🍩 donut|🍪 cookie|🎂 birthday cake|🍰 cake
🍫 chocolate|☕ coffee tea|🍵 green_tea|🍺 beer|🍻 cheers|🥂 toast champagne|🍷 wine|🏠 house home|🏢 office|🚗 car|🚲 bike|🚆 train|✈️ plane|🚀 rocket ship
⛵ boat|⏰ alarm clock|⌛ hourglass|📅 calendar date|📌 pushpin pin|📎 paperclip|✏️ pencil|📝 memo note|📖 book|📧 email|📞 phone|💻 laptop computer
💡 bulb idea|🔒 lock|🔑 key|🔧 wrench fix|🐛 bug|🎉 tada party celebrate|🎊 confetti|🎈 balloon|🎁 gift present|🏆 trophy|🥇 gold first|⚽ football soccer
🎯 target|🎲 dice|🎮 game|🎵 music note|🎸 guitar|🎬 film|📷 camera|🎨 art|✅ check done|❌ cross no|❗ exclamation|❓ question|⚠️ warning|🚫 forbidden
🔴 red_circle|🟢 green_circle|🔵 blue_circle|➕ plus|♻️ recycle|🔔 bell|💬 speech|👁️ eye|🏁 finish|🚩 flag|🏳️‍🌈 rainbow_flag pride`;

/** @typedef {{emoji: string, names: string[]}} Named */
/** @type {Named[]} */
export const EMOJI = TABLE.trim().split(/[|\n]/).map((row) => {
  const [emoji, ...names] = row.split(' ');
  return { emoji, names };
});

/** What a reaction offers first. */
export const QUICK = ['👍', '❤️', '😂', '🎉', '😮', '😢'];

/**
 * Those whose name begins with the text first, then those that have it somewhere.
 * @param {string} text
 * @param {number} most
 */
export function findEmoji(text, most) {
  const wanted = text.toLowerCase();
  const rank = ({ names }) => (names.some((name) => name === wanted) ? 0 : names.some((name) => name.startsWith(wanted)) ? 1 : names.some((name) => name.includes(wanted)) ? 2 : 3);
  const ranked = EMOJI.map((one) => ({ one, rank: rank(one) })).filter(({ rank: found }) => found < 3);
  return ranked.sort((a, b) => a.rank - b.rank).slice(0, most).map(({ one }) => one);
}

/** @param {string} emoji */
export const emojiName = (emoji) => EMOJI.find((one) => one.emoji === emoji)?.names[0].replaceAll('_', ' ') ?? emoji;
