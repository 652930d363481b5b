/*
 * Gatekeeper: a chat page's memory of phrases that need no language model.
 *
 * Self-delegation: the model answers a phrase such as "thx" once and orders the browser, with a learning
 * instruction, to answer it from now on. A taught phrase is then answered here: no request, no token, also offline.
 * Leaves out everything fuzzy: a phrase is answered when its normal form was taught, and otherwise not at all.
 *
 * One file, no dependencies; a plain script (global `Gatekeeper`) and an ES module alike:
 *
 *   <script src="gatekeeper.js"></script>                     const gate = Gatekeeper.createGatekeeper();
 *   import { createGatekeeper } from "./gatekeeper.js";       const gate = createGatekeeper();
 *
 * Gatekeeper.shared()                 the page's one instance, made at the first call (localStorage, real clock)
 * Gatekeeper.createGatekeeper({storage, now, onChange})
 *     storage   like localStorage; null: memory only; default: localStorage where the browser allows it
 *     now       () -> milliseconds since 1970
 *     onChange  (detail) -> void, called as the event below is sent
 * Gatekeeper.normalise(text) -> string     the normal form that phrases are compared by ("" where there is none)
 * Gatekeeper.asksSomething(text) -> ""|"help"|"open"   whether a turn of the assistant asks or offers something
 *
 * An instance:
 *   ask(text, {previousTurn})  -> {hit, reply, rule, reason, microseconds}
 *         previousTurn: the assistant's last turn as text (also one answered here). reason, on a miss: one of "empty",
 *         "long", "digits", "unknown", "expired", "blocked", "answer" (the phrase may answer the previous turn).
 *   learn(instruction, {taughtBy, usage, typed, previousTurn, method, id}) -> {accepted, reason, rule}
 *         instruction: {"command": "LEARN_SIMPLE_PHRASE", "query": "thx", "response": "You're welcome!"}
 *         taughtBy: the model's name, or "visitor"; typed: what the visitor wrote (required unless "visitor");
 *         usage: {input_tokens, output_tokens, cost_usd|null} of the call that taught; id: the lesson's, against replay.
 *   learnLesson(lesson, {typed, previousTurn}) -> the same; lesson: the `lesson` of an `answer` event as it comes
 *         (also null, or one that Python refused: it is listed under refused(); call it for every answer event).
 *   teach(phrase, response)    -> {accepted, reason, rule}    by hand: "always answer this with ..."; what a model may
 *         not teach (a question, a number) a visitor may not either
 *   edit(phrase, {response, expiresAt}) -> {accepted, reason, rule}
 *   forget(phrase) -> boolean · forgetAll() -> number
 *   block(phrase) -> boolean   "wrong answer": forgets the rule, never learns the phrase again (unless by hand)
 *   unblock(phrase) -> boolean · blocked() -> [phrase]
 *   rules()   -> [{phrase, response, taughtBy, method, learnedAt, expiresAt, lastUsedAt, hits, usage, savedTokens,
 *                  savedUsd}]  newest first; savedUsd is null where no price is known
 *   refused() -> [{query, response, reason, taughtBy, at}]  newest first · clearRefused()
 *   stats()   -> {hits, misses, rules, blocked, refused, savedTokens, savedUsd|null, teachingTokens, teachingUsd|null,
 *                 history: [{at, hits, misses, savedTokens, savedUsd, teachingTokens}] (cumulative),
 *                 storage: {persistent, reason, setAside}}
 *   exportRules() -> string (JSON) · importRules(json) -> {added, updated, refused: [{query, reason}], error|null}
 *   flush()   write what is still in memory (done by itself shortly after a hit and when the page is hidden)
 *   sync()    read the store again (done by itself when another tab wrote) · close()  stop listening
 *
 * Every change sends the event `gatekeeper:change` to window, detail: {kind, phrase}, kind one of
 * hit | miss | learn | refuse | edit | forget | block | unblock | import | sync | storage.
 * Replies are data: show them with textContent, never as HTML.
 */
(function (root) {
  "use strict";

  const COMMAND = "LEARN_SIMPLE_PHRASE";
  const VERSION = 2;
  const STORE = `gatekeeper.v${VERSION}`;
  const OLD_STORE = "gatekeeper.v1"; // a flat map {phrase: reply | {reply, uses, at}}
  const DAY = 86_400_000;
  const EXPIRY_DAYS = 90;
  const MAX_RULES = 2000;
  const MAX_PHRASE = 40; // characters of the normal form
  const MAX_WORDS = 6;
  const MAX_RESPONSE = 200;
  const MAX_TEXT = 200; // longer input cannot be a taught phrase, however stretched
  const MAX_STRETCHED = 4; // stretched runs in one phrase: 2 ** 4 look-ups at most
  const MAX_REFUSED = 100;
  const MAX_LESSON_IDS = 500;
  const MAX_HISTORY = 400; // points of the chart; thinned out from there
  const MAX_PENDING = 5000; // changes kept for a store that refuses to be written
  const MAX_IMPORT = 5_000_000; // characters
  const FLUSH_MS = 200;

  // What the checks know about languages. The same as router/delegation/lexicon.json; a test holds the two together.
  const LEXICON = /* lexicon */ {
    friendlyEmoji: "🙏😊🙂😀😃😄😁😆😅😂🤣👍👋❤♥💕💖💗💓💞😍🥰😘🎉✨💯👌🙌👏🤗😉☺😎🥳💪🌹🌸🌷🌻🌞☀🌙⭐🌟🔥💙💚💛💜🧡🖤🤍🤎🫶🤝🙇😇😋😌🤩🫡✌🤙💐🍀🎊🥹",
    socialQuestions: [
      "hello", "hi", "hey", "hallo", "hola", "allo", "allô", "olá", "ciao", "привет", "もしもし", "喂", "여보세요",
      "how are you", "how are you doing", "how are you today", "how are you doing today", "how r u", "how are u",
      "how do you do", "how's it going", "hows it going", "how is it going", "how have you been", "how's life",
      "how's everything", "how are things", "how's your day", "what's up", "whats up", "what is up", "wassup",
      "what's new", "sup?", "you ok?", "all good?", "you good?", "wie geht's", "wie gehts", "wie geht es",
      "wie geht es dir", "wie geht's dir", "wie geht es ihnen", "wie läuft's", "was geht", "was geht ab",
      "alles klar?", "alles gut?", "na?", "comment ça va", "comment ca va", "comment vas tu", "comment allez vous",
      "comment tu vas", "ça va?", "ca va?", "quoi de neuf", "tu vas bien?", "vous allez bien?", "qué tal", "que tal",
      "cómo estás", "como estas", "cómo está", "cómo está usted", "cómo te va", "cómo va", "qué pasa", "que pasa",
      "qué onda", "todo bien?", "cómo andas", "como vai", "como vai você", "como está", "como estás",
      "como você está", "como você tá", "tudo bem?", "tudo bom?", "td bem?", "beleza?", "e aí?", "come stai",
      "come sta", "come va", "tutto bene?", "va tutto bene?", "che si dice", "hoe gaat het", "hoe gaat het met je",
      "hoe gaat het met u", "hoe is het", "hoe gaat ie", "alles goed?", "gaat het?", "hur mår du", "hur är det",
      "hur går det", "läget?", "hvordan går det", "hvordan har du det", "hva skjer", "mitä kuuluu", "miten menee",
      "kuinka voit", "kuidas läheb", "jak się masz", "jak sie masz", "co słychać", "co slychac", "jak leci",
      "jak se máš", "jak se mas", "jak se máte", "jak to jde", "ako sa máš", "hogy vagy", "mi újság", "mizu",
      "ce mai faci", "ce faci", "как дела", "как ты", "как вы", "как жизнь", "как поживаешь", "что нового",
      "як справи", "як ти", "як ся маєш", "како си", "kako si", "kako ste", "как си", "nasılsın", "nasılsınız",
      "ne haber", "naber", "n'aber", "iyi misin?", "τι κάνεισ", "τι κανεισ", "τι κάνετε", "πώσ είσαι", "πωσ είσαι",
      "τι νέα", "كيف حالك", "كيف الحال", "كيفك", "شلونك", "ازيك", "מה נשמע", "מה שלומך", "מה קורה", "מה המצב",
      "چطوری", "حالت چطوره", "حال شما چطور است", "خوبی?", "چه خبر", "آپ کیسے ہیں", "کیا حال ہے", "कैसे हो",
      "कैसे हैं", "आप कैसे हैं", "क्या हाल है", "कैसी हो", "কেমন আছ", "কেমন আছেন", "কেমন আছো", "apa kabar",
      "bạn khỏe không", "สบายดีไหม", "สบายดีมั้ย", "เป็นไงบ้าง", "habari", "habari gani", "kamusta", "kumusta",
      "kumusta ka", "元気", "元気ですか", "お元気ですか", "最近どう", "你好吗", "你好嗎", "你怎么样", "最近怎么样", "最近好吗", "잘 지내", "잘지내", "잘 지내요",
      "잘 지내세요", "어떻게 지내", "어떻게 지내세요", "잘 있었어",
    ],
    salutations: [
      "hello", "hi", "hey", "hiya", "howdy", "yo", "hello there", "hi there", "hey there", "hello again", "hi again",
      "hello everyone", "hi all", "good morning", "morning", "good afternoon", "good evening", "good day",
      "greetings", "gm", "bye", "goodbye", "good bye", "bye bye", "good night", "see you", "see ya", "see you later",
      "see you soon", "see you tomorrow", "cya", "farewell", "take care", "have a nice day", "have a good day", "gn",
      "cheerio", "hallo", "moin", "servus", "grüss gott", "guten morgen", "guten tag", "guten abend", "gute nacht",
      "tschüss", "tschuss", "auf wiedersehen", "bis bald", "bis später", "bis morgen", "ade", "bonjour", "bonsoir",
      "salut", "coucou", "au revoir", "bonne nuit", "bonne journée", "bonne soirée", "à bientôt", "à demain",
      "à plus", "adieu", "hola", "buenos días", "buenos dias", "buenas tardes", "buenas noches", "buenas", "adiós",
      "adios", "hasta luego", "hasta mañana", "hasta pronto", "nos vemos", "olá", "ola", "oi", "bom dia", "boa tarde",
      "boa noite", "tchau", "até logo", "até amanhã", "até mais", "adeus", "ciao", "buongiorno", "buonasera",
      "buona sera", "buonanotte", "buona notte", "salve", "arrivederci", "a presto", "a domani", "hoi", "goedemorgen",
      "goedemiddag", "goedenavond", "goedenacht", "doei", "dag", "tot ziens", "tot morgen", "hej", "hejsan", "hei",
      "moi", "terve", "god morgon", "god natt", "hej då", "ha det", "farvel", "näkemiin", "hyvää huomenta",
      "hyvää yötä", "cześć", "dzień dobry", "dobry wieczór", "dobranoc", "do widzenia", "ahoj", "dobrý den",
      "nashledanou", "na shledanou", "szia", "jó reggelt", "jó napot", "viszlát", "bună", "bună ziua", "la revedere",
      "noapte bună", "привет", "здравствуйте", "здравствуй", "доброе утро", "добрый день", "добрый вечер",
      "спокойной ночи", "пока", "до свидания", "до завтра", "привіт", "добрий день", "добрий ранок", "до побачення",
      "бувай", "zdravo", "здраво", "здравей", "merhaba", "selam", "günaydın", "iyi günler", "iyi akşamlar",
      "iyi geceler", "hoşça kal", "hoşçakal", "görüşürüz", "güle güle", "γεια", "γεια σου", "γεια σασ", "καλημέρα",
      "καλησπέρα", "καληνύχτα", "αντίο", "مرحبا", "اهلا", "أهلا", "السلام عليكم", "صباح الخير", "مساء الخير",
      "مع السلامة", "تصبح على خير", "سلام", "خداحافظ", "صبح بخیر", "شب بخیر", "שלום", "היי", "בוקר טוב", "ערב טוב",
      "לילה טוב", "להתראות", "नमस्ते", "नमस्कार", "सुप्रभात", "शुभ रात्रि", "अलविदा", "হ্যালো", "নমস্কার", "halo",
      "hai", "selamat pagi", "selamat siang", "selamat malam", "sampai jumpa", "dadah", "xin chào", "chào",
      "chào bạn", "chào buổi sáng", "tạm biệt", "สวัสดี", "สวัสดีครับ", "สวัสดีค่ะ", "ลาก่อน", "jambo", "kwaheri",
      "magandang umaga", "paalam", "こんにちは", "こんばんは", "おはよう", "おはようございます", "おやすみ", "おやすみなさい", "さようなら", "またね", "じゃあね",
      "バイバイ", "你好", "您好", "早上好", "早", "早安", "下午好", "晚上好", "晚安", "再见", "再見", "拜拜", "明天见", "안녕", "안녕하세요", "안녕히 가세요",
      "안녕히 계세요", "잘 가", "잘자", "잘 자", "좋은 아침", "👋",
    ],
    asks: [
      "let me know", "would you like", "do you want", "did you mean", "shall i", "should i", "may i", "can i",
      "if you like", "if you'd like", "if you want", "if you wish", "want me to", "please confirm", "please choose",
      "please select", "please enter", "please provide", "please specify", "please tell", "please let", "please give",
      "please share", "tell me", "say yes", "say the word", "just say", "just ask", "reply with", "type", "press",
      "i can", "i could", "i'll wait", "pick one", "choose one", "feel free", "happy to", "glad to", "ready to",
      "waiting for your", "what do you think", "soll ich", "sollen wir", "möchtest du", "möchten sie", "willst du",
      "wollen sie", "wenn du willst", "wenn du möchtest", "wenn sie möchten", "wenn sie wollen", "sag mir",
      "sagen sie mir", "bitte bestätig", "bitte wähl", "bitte gib", "bitte geben", "gib mir bescheid", "ich kann",
      "ich könnte", "lass mich wissen", "meinst du", "meinen sie", "voulez", "veux-tu", "veux tu", "souhaitez",
      "souhaites", "si vous voulez", "si tu veux", "dites-moi", "dis-moi", "je peux", "je pourrais", "n'hésite",
      "confirmez", "choisissez", "est-ce que", "dois-je", "quieres", "quiere que", "desea", "si lo desea", "dime",
      "dígame", "puedo", "podría", "podrías", "confirma", "avísame", "elige", "te gustaría", "le gustaría", "vuoi",
      "vuole", "desidera", "dimmi", "mi dica", "posso", "potrei", "conferma", "fammi sapere", "scegli", "ti va",
      "quer que", "você quer", "queres", "deseja", "gostaria", "se quiser", "me diga", "diga-me", "confirme",
      "me avise", "escolha", "wil je", "wilt u", "zal ik", "als je wilt", "laat me weten", "ik kan", "kies",
      "vill du", "ska jag", "säg till", "jag kan", "vil du", "skal jeg", "jeg kan", "haluatko", "voin", "chcesz",
      "powiedz", "mogę", "daj znać", "wybierz", "chcete", "chceš", "řekni", "mohu", "szeretné", "szeretnéd", "vrei",
      "doriți", "pot să", "spune-mi", "хотите", "хочешь", "я могу", "скажите", "скажи", "подтвердите", "выберите",
      "дайте знать", "хочете", "хочеш", "скажіть", "підтвердіть", "ister misin", "ister misiniz", "istersen",
      "isterseniz", "söyle", "onayla", "seçin", "θέλεις", "θέλετε", "μπορώ", "πες μου", "هل", "أخبرني", "يمكنني",
      "إذا أردت", "اختر", "האם", "תרצה", "תגיד לי", "אני יכול", "آیا", "میخواهید", "बताइए", "बताएं", "बताओ",
      "चाहेंगे", "सकता हूँ", "सकती हूँ", "चाहते", "apakah", "mau saya", "beri tahu", "bạn muốn", "bạn có muốn",
      "ต้องการ", "ไหม",
    ],
    asksAnywhere: [
      "吗", "嗎", "要不要", "需要我", "我可以", "请告诉", "请确认", "请选择", "你想", "您想", "ましょうか", "ますか", "ですか", "してください", "教えて", "할까요",
      "드릴까요", "주세요", "말씀", "까요", "ไหม", "หรือเปล่า",
    ],
    help: [
      "help you", "help with", "i help", "assist you", "assist with", "i assist", "anything else", "i do for you",
      "be of service", "be of help", "how are you", "how's it going", "what's up", "what's on your mind",
      "brings you here", "helfen", "behilflich", "für dich tun", "für sie tun", "noch etwas", "wie geht",
      "vous aider", "t'aider", "autre chose", "puis-je faire pour", "comment vas-tu", "comment allez-vous",
      "comment ça va", "ayudar", "ayudarte", "ayudarle", "algo más", "hacer por ti", "cómo estás", "aiutar",
      "aiutarti", "aiutarla", "qualcos'altro", "come stai", "ajudar", "ajudá", "algo mais", "como está", "como vai",
      "helpen", "nog iets", "hoe gaat", "hjälpa", "hjælpe", "hjelpe", "auttaa", "pomóc", "coś jeszcze", "pomoci",
      "segíthet", "segíteni", "ajuta", "помочь", "помочь вам", "что-нибудь ещё", "как дела", "допомогти", "yardımcı",
      "nasılsın", "βοηθήσω", "مساعدتك", "أساعدك", "אוכל לעזור", "לעזור", "کمک", "मदद", "सहायता", "bantu", "giúp",
      "ช่วย", "帮你", "帮您", "帮助", "幫", "お手伝い", "お元気", "ご用", "도와", "도움",
    ],
    negations: [
      "no", "nope", "nah", "not", "never", "none", "nothing", "neither", "nor", "don't", "dont", "doesn't", "didn't",
      "isn't", "wasn't", "aren't", "can't", "cannot", "won't", "wouldn't", "couldn't", "shouldn't", "wrong", "false",
      "bad", "incorrect", "without", "nein", "nee", "nicht", "nichts", "kein", "keine", "keinen", "nie", "niemals",
      "falsch", "non", "pas", "jamais", "rien", "faux", "aucun", "nunca", "nada", "ningún", "jamás", "tampoco",
      "falso", "mal", "não", "nao", "nem", "errado", "mai", "niente", "nessuno", "sbagliato", "niet", "geen", "nooit",
      "fout", "nej", "inte", "ikke", "nei", "ei", "älä", "ne", "není", "nu", "нет", "не", "неа", "никогда", "ничего",
      "неправильно", "ні", "hayır", "değil", "yok", "yanlış", "όχι", "δεν", "لا", "ليس", "ما", "خطأ", "לא", "אין",
      "نه", "नहीं", "मत", "ना", "না", "tidak", "bukan", "jangan", "không", "ไม่", "いいえ", "いや", "ない", "だめ", "ダメ", "違う",
      "不", "没", "沒", "别", "別", "错", "아니", "않", "못", "싫",
    ],
    negationsFine: [
      "no problem", "no prob", "no worries", "not bad", "not at all", "never mind", "nevermind", "long time no see",
      "kein problem", "keine ursache", "nichts zu danken", "macht nichts", "pas de problème", "pas de souci",
      "pas mal", "de rien", "de nada", "por nada", "nada", "no hay de qué", "no pasa nada", "non c'è problema",
      "non c'è di che", "di niente", "niente", "geen probleem", "niets te danken", "não tem problema", "inga problem",
      "ikke noe problem", "ei kestä", "ei se mitään", "nie ma problemu", "nie ma za co", "není zač", "nincs mit",
      "не за что", "ничего страшного", "ничего", "нема за що", "önemli değil", "bir şey değil", "sorun değil",
      "لا مشكلة", "لا شكر على واجب", "אין בעיה", "אין בעד מה", "कोई बात नहीं", "tidak apa apa", "không có gì",
      "không sao", "ไม่เป็นไร", "不客气", "不客氣", "不用谢", "不用謝", "不错", "不錯", "对不起", "對不起", "没事", "没问题", "没关系", "沒問題",
      "沒關係", "問題ない", "とんでもない", "아니에요", "mach's gut", "nu bine",
    ],
    commands: [
      "stop", "cancel", "quit", "exit", "abort", "undo", "delete", "remove", "reset", "restart", "repeat", "continue",
      "next", "wait", "help", "ignore", "forget", "redo", "retry", "skip", "run", "execute", "show", "list", "print",
      "explain", "translate", "summarize", "summarise", "define", "convert", "calculate", "solve", "write", "book",
      "send", "open", "close", "play", "buy", "call", "find", "search", "tell", "give", "compare", "but", "why",
      "instead", "except", "because", "unless", "however", "stopp", "halt", "abbrechen", "weiter", "warte", "hilfe",
      "löschen", "aber", "warum", "arrête", "arrêtez", "annuler", "annule", "continuer", "attends", "aide", "mais",
      "pourquoi", "para", "detente", "cancela", "cancelar", "continúa", "espera", "ayuda", "pero", "parar", "pare",
      "mas", "ajuda", "ferma", "fermati", "annulla", "continua", "aspetta", "aiuto", "ma", "perché", "stoppen",
      "annuleren", "wacht", "hulp", "maar", "waarom", "men", "стоп", "хватит", "отмена", "стой", "подожди", "дальше",
      "помощь", "но", "почему", "dur", "iptal", "bekle", "yardım", "ama", "neden", "توقف", "الغاء", "لكن", "لماذا",
      "रुको", "लेकिन", "क्यों", "berhenti", "batal", "tapi", "dừng", "nhưng", "หยุด", "แต่", "停", "停止", "取消", "但是",
      "为什么", "為什麼", "やめて", "止めて", "待って", "でも", "なぜ", "그만", "취소", "기다려", "하지만",
    ],
    questionWords: [
      "what", "what's", "whats", "who", "who's", "whose", "whom", "which", "where", "where's", "when", "when's",
      "how", "how's", "why's", "is", "are", "am", "does", "did", "do", "can", "could", "would", "will", "shall",
      "should", "was", "were", "has", "whether", "wer", "wen", "wem", "wo", "woher", "wohin", "wann", "wieso",
      "weshalb", "welche", "welcher", "welches", "wie", "wieviel", "kannst", "können", "ist", "gibt", "qui", "quoi",
      "quel", "quelle", "quels", "quelles", "combien", "comment", "quand", "où", "est ce", "peux", "pouvez", "qué",
      "quién", "quiénes", "cuál", "cuándo", "cuánto", "cuánta", "cuántos", "dónde", "cómo", "puedes", "quem",
      "quando", "quanto", "quanta", "quantos", "onde", "qual", "pode", "chi", "dove", "quale", "quanti", "cosa",
      "puoi", "waar", "wanneer", "hoeveel", "welk", "hoe", "kun", "vad", "vem", "när", "hvad", "hva", "hvem", "hvor",
      "hvornår", "hvordan", "mikä", "mitä", "missä", "milloin", "miksi", "kuka", "gdzie", "kiedy", "kto", "ile",
      "dlaczego", "jak", "kde", "kdy", "kdo", "kolik", "proč", "hogyan", "hol", "mikor", "mennyi", "miért", "unde",
      "când", "cine", "cât", "что", "кто", "где", "когда", "сколько", "какой", "какая", "какие", "зачем", "как", "що",
      "хто", "де", "коли", "скільки", "чому", "як", "kim", "nerede", "nasıl", "kaç", "hangi", "niçin", "niye", "τι",
      "ποιοσ", "ποια", "πού", "που", "πότε", "πώσ", "γιατί", "πόσο", "كيف", "متى", "أين", "اين", "ماذا", "كم", "هل",
      "מה", "מי", "איפה", "מתי", "איך", "למה", "כמה", "چه", "کجا", "چرا", "چطور", "क्या", "कौन", "कहाँ", "कब", "कैसे",
      "कितना", "কি", "কী", "কে", "কোথায়", "কখন", "apa", "siapa", "kapan", "bagaimana", "berapa", "mengapa", "gì",
      "ai", "đâu", "nào", "ทําไม", "อะไร", "ใคร", "เมื่อไหร่", "เท่าไหร่", "何", "誰", "どこ", "いつ", "いくつ", "いくら", "どう",
      "ですか", "ますか", "什么", "什麼", "谁", "哪", "怎么", "怎麼", "多少", "几", "吗", "嗎", "呢", "뭐", "무엇", "누구", "어디", "언제", "어떻게",
      "얼마", "왜",
    ],
    bare: [
      "again", "more", "go", "go on", "go ahead", "back", "and", "or", "then", "so", "please", "yes please", "yes do",
      "do it", "ok do it", "tell me more", "one more", "another", "another one", "both", "either", "left", "right",
      "up", "down", "me too", "same", "same here", "mehr", "nochmal", "zurück", "bitte", "encore", "plus", "otra vez",
      "más", "ancora", "più", "mais um", "de novo", "ещё", "еще", "tekrar", "もう一度", "再来一次", "다시",
    ],
    subjects: [
      "weather", "forecast", "temperature", "rain", "snow", "time", "clock", "date", "calendar", "weekday",
      "timezone", "currency", "euro", "euros", "dollar", "dollars", "yen", "pound", "pounds", "rupee", "exchange",
      "rate", "price", "cost", "calculator", "calculate", "sum", "plus", "minus", "times", "divided", "percent",
      "square", "root", "miles", "mile", "kilometers", "kilometres", "km", "kg", "meters", "metres", "feet", "inches",
      "grams", "ounces", "celsius", "fahrenheit", "litres", "liters", "unit", "units", "capital", "population",
      "country", "president", "letters", "palindrome", "uppercase", "lowercase", "vowels", "python", "javascript",
      "java", "code", "sql", "html", "password", "api", "wetter", "uhrzeit", "datum", "währung", "hauptstadt",
      "einwohner", "météo", "heure", "capitale", "devise", "tiempo", "clima", "hora", "fecha", "moneda", "tempo",
      "ora", "meteo", "moeda", "weer", "hoofdstad", "погода", "столица", "курс", "saat", "hava", "الطقس", "عاصمة",
      "मौसम", "राजधानी", "cuaca", "thời tiết", "天气", "天氣", "时间", "時間", "首都", "天気", "통화", "날씨", "시간", "수도",
    ],
  } /* end of lexicon */;

  const sets = {}; // LEXICON's lists as Sets, made at the first use

  // ---------------------------------------------------------------- phrases

  // U+00AD soft hyphen, bidi and zero-width marks, variation selectors, tags, fillers: invisible. Skin tones and the
  // gender signs of emoji sequences; kashida, Arabic and Hebrew vowel marks: optional in writing.
  const IGNORED = new RegExp(
    "[\\u00AD\\u034F\\u061C\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u200B-\\u200F\\u202A-\\u202E\\u2060-\\u206F" +
      "\\u3164\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\u{E0000}-\\u{E0FFF}\\u{1F3FB}-\\u{1F3FF}\\u2640\\u2642" +
      "\\u0640\\u064B-\\u0652\\u0591-\\u05BD\\u05BF\\u05C1\\u05C2\\u05C4\\u05C5\\u05C7]",
    "gu",
  );
  const SPACE = /[\t-\r\x1C-\x20\x85\xA0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+/gu;
  const APOSTROPHES = /[\u2018\u2019\u02BC\u02BB\u00B4\u02C8\u2032]/gu;
  const QUESTIONS = /[\u061F\u055E\u2E2E\u203D]/gu; // "؟", "՞", "⸮", "‽"; NFKC has made "?" of "？"
  const SEPARATORS = /[,\u060C\u3001;\u061B]/gu;
  const STOPS = new Set([..." .!~\u3002\u0964\u0965\u06D4\u0589\u104B\u1362\u301C"]); // as final punctuation
  const WIDE_STOPS = /[\u3002\u0964\u0965]/gu; // they end a sentence without a space after them
  const HYPHENS = new Set(["-", "\u2010", "\u2013"]);
  const FACES = [":)", ":-)", ";)", ";-)", "=)", "^^", "^_^", "(:"];
  const SPELLED_FACES = [" :d", " :-d", " ;d", " =d", " xd"];
  const UNSPACED =
    /[\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u3400-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF\u{20000}-\u{323AF}]/u;
  const GREEK = /[\u0370-\u03FF\u1F00-\u1FFF]/u;
  const LETTER = /^\p{L}$/u;
  const LETTER_OR_MARK = /^[\p{L}\p{M}]$/u;
  const NUMBER = /\p{N}/u;

  function known(list) {
    if (!sets[list]) sets[list] = new Set(list === "friendlyEmoji" ? [...LEXICON[list]] : LEXICON[list]);
    return sets[list];
  }

  /** The form that phrases are compared by; "" where nothing is left. Idempotent: it returns fixed points only. */
  function normalise(text) {
    let form = String(text);
    for (let round = 0; round < 6; round++) {
      const next = normaliseOnce(form);
      if (next === form) return form;
      form = next;
    }
    return "";
  }

  function normaliseOnce(text) {
    let s = text.replace(APOSTROPHES, "'").normalize("NFKC").toLowerCase().normalize("NFKC");
    s = s
      .replace(/i\u0307/gu, "i")
      .replace(IGNORED, "")
      .replace(/ß/gu, "ss")
      .replace(/ς/gu, "σ");
    if (GREEK.test(s)) s = s.replace(/;/gu, "?");
    s = s.replace(QUESTIONS, "?").replace(SEPARATORS, " ").replace(WIDE_STOPS, "$& ").replace(SPACE, " ");
    const [body, question] = trimEnds([...s]);
    if (!body.length) return emojiOnly(s);
    const words = body
      .join("")
      .split(" ")
      .map(trimWord)
      .filter((word) => word !== "");
    const form = words.join(" ");
    return question ? withQuestionMark(form) : form;
  }

  /** Cut spaces, final punctuation, friendly emoji and smileys off both ends. Also tells whether it is a question. */
  function trimEnds(chars) {
    const friendly = known("friendlyEmoji");
    let start = 0;
    let end = chars.length;
    let question = false;
    for (; start < end; start++) {
      if (chars[start] === "¿") question = true;
      else if (chars[start] !== "¡" && chars[start] !== " " && !friendly.has(chars[start])) break;
    }
    for (let before = -1; before !== end;) {
      before = end;
      while (end > start && (STOPS.has(chars[end - 1]) || chars[end - 1] === "?" || friendly.has(chars[end - 1]))) {
        question = question || chars[end - 1] === "?";
        end--;
      }
      const tail = chars.slice(Math.max(start, end - 4), end).join("");
      const face = FACES.find((f) => tail.endsWith(f)) || SPELLED_FACES.find((f) => tail.endsWith(f));
      if (face) end -= face.length;
    }
    return [chars.slice(start, Math.max(start, end)), question];
  }

  /** Emoji that stand alone are a phrase of their own; a repeated one counts once. */
  function emojiOnly(s) {
    const friendly = known("friendlyEmoji");
    const emoji = [...s].filter((c) => friendly.has(c));
    const form = emoji.filter((c, i) => c !== emoji[i - 1]).join("");
    return form && s.includes("?") ? form + "?" : form;
  }

  /** One word: hyphens between letters become spaces, final stops go, long runs and repeated syllables are cut. */
  function trimWord(word) {
    const chars = [...word];
    while (chars.length && STOPS.has(chars[chars.length - 1])) chars.pop();
    for (let i = 1; i < chars.length - 1; i++) {
      if (HYPHENS.has(chars[i]) && LETTER_OR_MARK.test(chars[i - 1]) && LETTER_OR_MARK.test(chars[i + 1]))
        chars[i] = " ";
    }
    if (
      chars.length >= 5 &&
      chars[0] !== chars[1] &&
      chars.every((c, i) => LETTER.test(c) && (i < 2 || c === chars[i - 2]))
    ) {
      return chars.slice(0, 4).join(""); // "hahahaha", "jajaja": laughter of any length is "haha", "jaja"
    }
    return chars
      .filter((c, i) => i < 3 || c !== chars[i - 1] || c !== chars[i - 2] || c !== chars[i - 3] || !LETTER.test(c))
      .join("");
  }

  /** A question mark tells "ok?" from "ok"; a question such as "how are you" is the same without it. */
  function withQuestionMark(form) {
    const bare = form.endsWith("?") ? form.slice(0, -1) : form;
    return known("socialQuestions").has(bare) ? bare : bare + "?";
  }

  /**
   * The normal forms under which a text is looked up: its own, then, where letters stand three times or more in a
   * row, those with each such run written twice or once ("thaaanks": "thaanks", "thanks"). A doubled letter is never
   * touched: "good" is not "god". A word is never cut to one letter.
   */
  function lookupForms(form) {
    const chars = [...form];
    const runs = []; // index of the first character of each run of three
    for (let i = 0; i + 2 < chars.length; i++) {
      if (chars[i] === chars[i + 1] && chars[i] === chars[i + 2] && LETTER.test(chars[i])) {
        runs.push(i);
        i += 2;
      }
    }
    if (!runs.length) return [form];
    if (runs.length > MAX_STRETCHED) return [form];
    const forms = [form];
    for (let choice = 0; choice < 2 ** runs.length; choice++) {
      const copy = [...chars];
      runs.forEach((at, bit) => {
        const alone = !LETTER_OR_MARK.test(chars[at - 1] || " ") && !LETTER_OR_MARK.test(chars[at + 3] || " ");
        copy[at + 2] = "";
        if (choice & (1 << bit) && !alone) copy[at + 1] = "";
      });
      const candidate = copy.join("");
      forms.push(candidate.endsWith("?") ? withQuestionMark(candidate) : candidate);
    }
    return [...new Set(forms)];
  }

  function has(form, list) {
    return lookupForms(form).some((f) => known(list).has(f));
  }

  /** A word of ``list`` stands in ``form``. Scripts without spaces are searched anywhere in the text. */
  function mentions(form, list) {
    const words = new Set(form.replace(/\?$/u, "").split(" "));
    for (const entry of LEXICON[list]) {
      if (UNSPACED.test(entry) ? form.includes(entry) : words.has(entry)) return entry;
    }
    return "";
  }

  /** Why ``form`` cannot be a phrase at all, or "". */
  function faultOfForm(form, text) {
    if (!form) return "The phrase is empty.";
    if (NUMBER.test(text) || NUMBER.test(form)) return "The phrase holds a number, so its answer may differ each time.";
    const chars = [...form];
    if (chars.length > MAX_PHRASE) return `The phrase has ${chars.length} characters, more than ${MAX_PHRASE}.`;
    const words = wordCount(form);
    if (words > MAX_WORDS) return `The phrase has ${words} words, more than ${MAX_WORDS}.`;
    const last = form.endsWith("?") ? chars.length - 1 : chars.length;
    const friendly = known("friendlyEmoji");
    const emoji = chars.slice(0, last).every((c) => friendly.has(c));
    const odd = chars.slice(0, last).find((c) => c !== " " && c !== "'" && !LETTER_OR_MARK.test(c));
    if (!emoji && odd)
      return `The phrase holds ${JSON.stringify(odd)}; only words are learned, no links, code or symbols.`;
    return "";
  }

  /** Words; in a script without spaces three characters count as one. */
  function wordCount(form) {
    let count = 0;
    for (const word of form.split(" ")) {
      const unspaced = [...word].filter((c) => UNSPACED.test(c) && LETTER.test(c)).length;
      count += unspaced > 0 ? Math.ceil(unspaced / 3) : 1;
    }
    return count;
  }

  /** Why a phrase of this form is not small talk, or "". */
  function faultOfMeaning(form) {
    if (has(form, "socialQuestions") || has(form, "salutations") || has(form, "negationsFine")) return "";
    if (form.endsWith("?")) return "The phrase is a question that may expect a fact.";
    if (known("bare").has(form)) return "The phrase means something only after what was said before.";
    if (mentions(form, "questionWords")) return "The phrase is a question that may expect a fact.";
    let word = mentions(form, "negations");
    if (word) return `The phrase says no ("${word}"), which depends on what was said before.`;
    word = mentions(form, "commands");
    if (word) return `The phrase asks for something ("${word}").`;
    word = mentions(form, "subjects");
    if (word) return `The phrase touches a tool's subject ("${word}").`;
    return "";
  }

  /** Why ``response`` cannot be a reply, or "". */
  function faultOfResponse(response) {
    if (typeof response !== "string" || !response.replace(SPACE, "")) return "The reply is empty.";
    const length = response.length > 2 * MAX_RESPONSE ? response.length : [...response].length;
    if (length > MAX_RESPONSE) return `The reply has ${length} characters, more than ${MAX_RESPONSE}.`;
    if (/[\x00-\x09\x0B-\x1F\x7F-\x9F\u202A-\u202E\u2066-\u2069\u{E0000}-\u{E0FFF}]/u.test(response))
      return "The reply holds control characters.";
    if (/<[a-z!/?]|&[a-z]+;|&#|\$\{|\{\{|`|\]\(|\]\[/iu.test(response))
      return "The reply holds markup or code; only plain text is learned.";
    if (/:\/\/|\bwww\.|\b(?:javascript|data|vbscript|mailto):/iu.test(response))
      return "The reply holds a link; only plain text is learned.";
    if (NUMBER.test(response)) return "The reply holds a number, which may not be true the next time.";
    return "";
  }

  /**
   * Whether a turn of the assistant leaves something to answer: "open" for a question or an offer, "help" where it
   * only asks how it can help or how one is (a greeting is no answer to that), "" for neither.
   */
  function asksSomething(text) {
    if (typeof text !== "string") return "";
    let found = "";
    const plain = text
      .slice(-4000)
      .replace(/\S+:\/\/\S+/gu, " ")
      .replace(APOSTROPHES, "'")
      .normalize("NFKC")
      .toLowerCase()
      .replace(IGNORED, "");
    for (const sentence of plain.replace(QUESTIONS, "?").match(/[^.!?\n\u3002\u0964]+[.!?\n\u3002\u0964]*/gu) || []) {
      const padded = ` ${sentence.replace(/[^\p{L}\p{M}'-]+/gu, " ").trim()} `;
      const asks =
        sentence.includes("?") ||
        (GREEK.test(sentence) && sentence.includes(";")) ||
        LEXICON.asks.some((a) => padded.includes(` ${a}`)) ||
        LEXICON.asksAnywhere.some((a) => sentence.includes(a));
      if (!asks) continue;
      if (!LEXICON.help.some((h) => (UNSPACED.test(h) ? sentence.includes(h) : padded.includes(` ${h}`))))
        return "open";
      found = "help";
    }
    return found;
  }

  /** Why no browser may answer ``phrase`` with ``response``, whoever says so, or "". */
  function faultOfRule(phrase, response) {
    const form = normalise(phrase);
    return faultOfForm(form, phrase) || faultOfMeaning(form) || faultOfResponse(response);
  }

  function mayAnswer(form, previousTurn) {
    const asked = asksSomething(previousTurn);
    return asked === "open" || (asked === "help" && !has(form, "salutations"));
  }

  // ---------------------------------------------------------------- values from outside

  const own = (object, key) => (Object.hasOwn(object, key) ? object[key] : undefined);
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const number = (value, fallback) => (Number.isFinite(value) && value >= 0 ? value : fallback);
  const text = (value, limit, fallback = "") => (typeof value === "string" ? value.slice(0, limit) : fallback);

  function usageFrom(value) {
    if (!isObject(value)) return null;
    const cost = own(value, "cost_usd");
    return {
      input_tokens: number(own(value, "input_tokens"), 0),
      output_tokens: number(own(value, "output_tokens"), 0),
      cost_usd: Number.isFinite(cost) && cost >= 0 ? cost : null,
    };
  }

  const tokens = (usage) => (usage ? usage.input_tokens + usage.output_tokens : 0);

  /** A rule as it stands in the store or in an export, or null. */
  function ruleFrom(value, now) {
    if (!isObject(value)) return null;
    const phrase = own(value, "phrase");
    const response = own(value, "response");
    if (typeof phrase !== "string" || phrase.length > MAX_TEXT || faultOfRule(phrase, response)) return null;
    const learnedAt = number(own(value, "learnedAt"), now);
    return {
      form: normalise(phrase),
      phrase,
      response,
      taughtBy: text(own(value, "taughtBy"), 120, "unknown"),
      method: text(own(value, "method"), 120),
      learnedAt,
      expiresAt: number(own(value, "expiresAt"), learnedAt + EXPIRY_DAYS * DAY),
      lastUsedAt: number(own(value, "lastUsedAt"), learnedAt),
      hits: number(own(value, "hits"), 0),
      usage: usageFrom(own(value, "usage")),
    };
  }

  function publicRule(rule) {
    const { form, ...shown } = rule;
    const priced = rule.usage && rule.usage.cost_usd !== null;
    return {
      ...shown,
      usage: rule.usage && { ...rule.usage },
      savedTokens: rule.hits * tokens(rule.usage),
      savedUsd: priced ? rule.hits * rule.usage.cost_usd : null,
    };
  }

  // ---------------------------------------------------------------- state: a fold of changes over what is stored

  function emptyState() {
    return {
      rules: new Map(), // normal form → rule
      blocked: new Map(), // normal form → phrase
      refused: [], // newest last
      lessons: [], // ids of lessons that were dealt with, newest last
      counters: { hits: 0, misses: 0, savedTokens: 0, savedUsd: null, teachingTokens: 0, teachingUsd: null },
      history: [],
    };
  }

  const plus = (sum, usd) => (usd === null || usd === undefined ? sum : (sum || 0) + usd);

  function mark(state, at) {
    const { hits, misses, savedTokens, savedUsd, teachingTokens } = state.counters;
    state.history.push({ at, hits, misses, savedTokens, savedUsd, teachingTokens });
    if (state.history.length > MAX_HISTORY)
      state.history = state.history.filter((_, i, all) => i % 2 || i === all.length - 1);
  }

  /** Apply one change. Changes are made in the order in which they happened, on this tab's view and on the store. */
  function apply(state, change) {
    const { rules, blocked, counters } = state;
    switch (change.kind) {
      case "hit": {
        const rule = rules.get(change.form);
        if (rule) {
          rule.hits += 1;
          rule.lastUsedAt = Math.max(rule.lastUsedAt, change.at);
        }
        counters.hits += 1;
        counters.savedTokens += tokens(change.usage);
        counters.savedUsd = plus(counters.savedUsd, change.usage && change.usage.cost_usd);
        mark(state, change.at);
        break;
      }
      case "miss":
        counters.misses += 1;
        mark(state, change.at);
        break;
      case "put": // learned, edited or imported
        blocked.delete(change.rule.form);
        rules.set(change.rule.form, { ...change.rule });
        while (rules.size > MAX_RULES) rules.delete(leastRecentlyUsed(rules, change.rule.form));
        break;
      case "forget":
        rules.delete(change.form);
        break;
      case "forgetAll":
        rules.clear();
        break;
      case "block":
        rules.delete(change.form);
        blocked.set(change.form, change.phrase);
        break;
      case "unblock":
        blocked.delete(change.form);
        break;
      case "refuse":
        state.refused = [...state.refused, change.refusal].slice(-MAX_REFUSED);
        break;
      case "clearRefused":
        state.refused = [];
        break;
      case "lesson": // what a lesson cost, once for each
        if (change.id) state.lessons = [...state.lessons, change.id].slice(-MAX_LESSON_IDS);
        counters.teachingTokens += tokens(change.usage);
        counters.teachingUsd = plus(counters.teachingUsd, change.usage && change.usage.cost_usd);
        mark(state, change.at);
        break;
    }
  }

  function leastRecentlyUsed(rules, keep) {
    let oldest = null;
    for (const rule of rules.values()) {
      if (rule.form !== keep && (!oldest || rule.lastUsedAt < oldest.lastUsedAt)) oldest = rule;
    }
    return oldest.form;
  }

  function serialise(state) {
    const { counters, history, refused, lessons } = state;
    const rules = [...state.rules.values()].map(({ form, ...rule }) => rule);
    return JSON.stringify({
      version: VERSION,
      rules,
      blocked: [...state.blocked.values()],
      refused,
      lessons,
      counters,
      history,
    });
  }

  /** The state that ``json`` describes and whether all of it could be read. Throws what JSON.parse throws. */
  function deserialise(json, now) {
    const value = JSON.parse(json);
    const state = emptyState();
    if (!isObject(value) || own(value, "version") !== VERSION || !Array.isArray(own(value, "rules")))
      return { state, whole: false };
    let whole = true;
    for (const item of value.rules) {
      const rule = ruleFrom(item, now);
      if (rule) state.rules.set(rule.form, rule);
      else whole = false;
    }
    const list = (key) => (Array.isArray(own(value, key)) ? value[key] : []);
    for (const phrase of list("blocked")) if (typeof phrase === "string") state.blocked.set(normalise(phrase), phrase);
    state.lessons = list("lessons")
      .filter((id) => typeof id === "string")
      .slice(-MAX_LESSON_IDS);
    state.refused = list("refused").filter(isObject).slice(-MAX_REFUSED).map(refusalFrom);
    const counters = isObject(own(value, "counters")) ? value.counters : {};
    for (const key of Object.keys(state.counters))
      state.counters[key] = number(own(counters, key), state.counters[key]);
    state.history = list("history")
      .filter(isObject)
      .slice(-MAX_HISTORY)
      .map((p) => ({
        at: number(own(p, "at"), 0),
        hits: number(own(p, "hits"), 0),
        misses: number(own(p, "misses"), 0),
        savedTokens: number(own(p, "savedTokens"), 0),
        savedUsd: number(own(p, "savedUsd"), null),
        teachingTokens: number(own(p, "teachingTokens"), 0),
      }));
    return { state, whole };
  }

  function refusalFrom(value) {
    return {
      query: text(own(value, "query"), 80),
      response: text(own(value, "response"), MAX_RESPONSE),
      reason: text(own(value, "reason"), 300),
      taughtBy: text(own(value, "taughtBy"), 120, "unknown"),
      at: number(own(value, "at"), 0),
    };
  }

  /** Rules of the first format, where ``json`` holds such. Throws what JSON.parse throws. */
  function migrate(json, now) {
    const state = emptyState();
    const old = JSON.parse(json);
    let whole = isObject(old);
    for (const [phrase, value] of Object.entries(whole ? old : {})) {
      const entry = isObject(value) ? value : { reply: value };
      const rule = ruleFrom(
        { phrase, response: own(entry, "reply"), hits: own(entry, "uses"), learnedAt: own(entry, "at") },
        now,
      );
      if (rule) state.rules.set(rule.form, rule);
      else whole = false;
    }
    return { state, whole };
  }

  function defaultStorage() {
    try {
      return root.localStorage || null;
    } catch {
      return null; // denied: cookies and site data are blocked
    }
  }

  // ---------------------------------------------------------------- the gatekeeper

  function createGatekeeper({ storage = defaultStorage(), now = Date.now, onChange = null } = {}) {
    let state = emptyState();
    let pending = []; // changes that the store does not hold yet
    let stored = null; // what the store held when it was last read or written
    let timer = null;
    const trouble = {
      reason: storage ? "" : "The browser keeps no data for this page, so rules last until it is closed.",
      setAside: null,
    };

    function changed(kind, phrase) {
      const detail = { kind, phrase };
      if (onChange) onChange(detail);
      if (typeof root.dispatchEvent === "function" && typeof root.CustomEvent === "function") {
        root.dispatchEvent(new root.CustomEvent("gatekeeper:change", { detail }));
      }
    }

    /** Copy a store that cannot be read to a key of its own. Throws when that fails: then nothing may be written. */
    function setAside(key, json) {
      const aside = `${key}.damaged.${now()}`;
      storage.setItem(aside, json);
      storage.removeItem(key);
      trouble.setAside = aside;
    }

    /** What the store holds now. Throws where the storage does. */
    function load() {
      let json = storage.getItem(STORE);
      let read = deserialise;
      let key = STORE;
      if (json === null) {
        json = storage.getItem(OLD_STORE);
        read = migrate;
        key = OLD_STORE;
      }
      if (json === null) return emptyState();
      let loaded = { state: emptyState(), whole: false };
      try {
        loaded = read(json, now());
      } catch {
        // not JSON: set aside below
      }
      if (!loaded.whole) setAside(key, json);
      if (!loaded.whole || key === OLD_STORE) storage.setItem(STORE, serialise(loaded.state)); // what could be read
      return loaded.state;
    }

    function refresh() {
      if (!storage) return;
      try {
        const fresh = load();
        stored = storage.getItem(STORE);
        for (const change of pending) apply(fresh, change);
        state = fresh;
      } catch (error) {
        trouble.reason = `The browser's storage cannot be read (${error.name}), so rules last until the page is closed.`;
      }
    }

    function flush() {
      clearTimeout(timer);
      timer = null;
      if (!storage || !pending.length) return;
      try {
        if (storage.getItem(STORE) !== stored || stored === null) {
          const fresh = load(); // another tab wrote, or nothing is stored yet
          for (const change of pending) apply(fresh, change);
          state = fresh;
        }
        const json = serialise(state);
        storage.setItem(STORE, json);
        stored = json;
        pending = [];
        trouble.reason = "";
      } catch (error) {
        const was = trouble.reason;
        trouble.reason = `The browser's storage cannot be written (${error.name}), so new rules last until the page is closed.`;
        if (pending.length > MAX_PENDING)
          pending = pending.filter((change) => change.kind !== "hit" && change.kind !== "miss");
        if (was !== trouble.reason) changed("storage");
      }
    }

    function commit(changes, { later = false } = {}) {
      for (const change of changes) apply(state, change);
      if (!storage) return;
      pending.push(...changes);
      if (!later) flush();
      else if (timer === null) {
        timer = setTimeout(flush, FLUSH_MS);
        if (timer && typeof timer.unref === "function") timer.unref(); // node: do not keep the process alive
      }
    }

    /** The one rule that answers ``form``; none where two differ ("goood" after both "good" and "god" were taught). */
    function find(form) {
      const exact = state.rules.get(form);
      if (exact) return exact;
      const found = lookupForms(form)
        .map((f) => state.rules.get(f))
        .filter(Boolean);
      return found.length === 1 ? found[0] : null;
    }

    function look(input, previousTurn) {
      const trimmed = typeof input === "string" ? input.trim() : "";
      if (!trimmed) return { reason: "empty" };
      if (trimmed.length > MAX_TEXT) return { reason: "long" };
      if (NUMBER.test(trimmed)) return { reason: "digits" };
      const form = normalise(trimmed);
      if (!form || NUMBER.test(form)) return { reason: form ? "digits" : "empty" };
      const rule = find(form);
      if (!rule) return { reason: lookupForms(form).some((f) => state.blocked.has(f)) ? "blocked" : "unknown" };
      if (rule.expiresAt <= now()) return { reason: "expired", rule };
      if (mayAnswer(form, previousTurn)) return { reason: "answer" };
      return { reason: "", rule };
    }

    function ask(input, { previousTurn } = {}) {
      const started = performance.now();
      const { reason, rule } = look(input, previousTurn);
      const microseconds = (performance.now() - started) * 1000;
      const at = now();
      if (reason) {
        const gone = reason === "expired" ? [{ kind: "forget", form: rule.form }] : [];
        commit([...gone, { kind: "miss", at }], { later: true });
        changed("miss", text(input, MAX_TEXT));
        return { hit: false, reply: null, rule: null, reason, microseconds };
      }
      commit([{ kind: "hit", form: rule.form, usage: rule.usage, at }], { later: true });
      const answer = {
        hit: true,
        reply: rule.response,
        rule: publicRule(state.rules.get(rule.form)),
        reason: "",
        microseconds,
      };
      changed("hit", rule.phrase);
      return answer;
    }

    /** Why the lesson cannot become a rule, or "". */
    function faultOfLesson(instruction, { byHand, typed, previousTurn, id }) {
      if (!isObject(instruction)) return "The lesson is no object.";
      const odd = Object.keys(instruction).find((key) => !["command", "query", "response"].includes(key));
      if (odd !== undefined) return `The lesson has an unknown field ${JSON.stringify(odd.slice(0, 40))}.`;
      const command = own(instruction, "command");
      if (command !== COMMAND) {
        const shown = typeof command === "string" ? JSON.stringify(command.slice(0, 40)) : typeof command;
        return `The command ${shown} is unknown; only ${COMMAND} is obeyed.`;
      }
      const query = own(instruction, "query");
      if (typeof query !== "string") return "The lesson names no phrase.";
      if (query.length > MAX_TEXT) return `The phrase has ${query.length} characters, more than ${MAX_PHRASE}.`;
      const fault = faultOfRule(query, own(instruction, "response"));
      if (fault || byHand) return fault;
      const form = normalise(query);
      if (id && state.lessons.includes(id)) return "The lesson was taught before and is not taken twice.";
      if (typeof typed !== "string" || typed.length > MAX_TEXT || !lookupForms(normalise(typed)).includes(form)) {
        return "The lesson is for another phrase than the visitor typed.";
      }
      if (state.blocked.has(form))
        return "An answer to this phrase was marked as wrong. Allow the phrase again in the rules to let it be learned.";
      if (mayAnswer(form, previousTurn)) return "The phrase may answer what the assistant asked or offered before.";
      const rule = state.rules.get(form);
      if (rule && rule.expiresAt > now()) return "The phrase is known already.";
      return "";
    }

    function learn(
      instruction,
      { taughtBy = "unknown", usage = null, typed, previousTurn, method = "", id = "" } = {},
    ) {
      const at = now();
      const byHand = taughtBy === "visitor";
      const cost = usageFrom(usage);
      const lessonId = typeof id === "string" ? id.slice(0, 80) : "";
      const fault = faultOfLesson(instruction, { byHand, typed, previousTurn, id: lessonId });
      if (fault) return refuse(instruction, fault, { taughtBy, cost, id: lessonId, at });
      const rule = {
        form: normalise(instruction.query),
        phrase: instruction.query.trim(),
        response: instruction.response.trim(),
        taughtBy: text(taughtBy, 120, "unknown"),
        method: text(method, 120),
        learnedAt: at,
        expiresAt: at + EXPIRY_DAYS * DAY,
        lastUsedAt: at,
        hits: 0,
        usage: cost,
      };
      commit([...(byHand ? [] : [{ kind: "lesson", id: lessonId, usage: cost, at }]), { kind: "put", rule }]);
      changed("learn", rule.phrase);
      return { accepted: true, reason: "", rule: publicRule(rule) };
    }

    function refuse(instruction, reason, { taughtBy, cost, id, at }) {
      const said = isObject(instruction) ? instruction : {};
      const shown = (key) => (typeof own(said, key) === "string" ? said[key] : "");
      const refusal = refusalFrom({ query: shown("query"), response: shown("response"), reason, taughtBy, at });
      const again = id && state.lessons.includes(id);
      const last = state.refused[state.refused.length - 1];
      const listed =
        last && last.reason === reason && last.query === refusal.query && last.response === refusal.response;
      const changes = listed ? [] : [{ kind: "refuse", refusal }];
      if (taughtBy !== "visitor" && !again) changes.push({ kind: "lesson", id, usage: cost, at });
      commit(changes);
      changed("refuse", refusal.query);
      return { accepted: false, reason, rule: null };
    }

    function learnLesson(lesson, { typed, previousTurn } = {}) {
      const nothing = { accepted: false, reason: "", rule: null };
      if (!isObject(lesson)) return nothing;
      const instruction = own(lesson, "instruction") ?? null;
      const meta = {
        taughtBy: text(own(lesson, "taught_by"), 120, "unknown"),
        method: own(lesson, "method"),
        usage: own(lesson, "usage"),
        id: own(lesson, "id"),
        typed,
        previousTurn,
      };
      if (meta.taughtBy === "visitor") meta.taughtBy = "unknown"; // a lesson from outside is never by hand
      if (own(lesson, "accepted") === true) return learn(instruction, meta);
      const reason = text(own(lesson, "reason"), 300);
      if (!instruction && !reason) return nothing;
      const id = typeof meta.id === "string" ? meta.id.slice(0, 80) : "";
      if (id && state.lessons.includes(id)) return { ...nothing, reason };
      return refuse(instruction || { query: typed }, reason || "The lesson was refused.", {
        taughtBy: meta.taughtBy,
        cost: usageFrom(meta.usage),
        id,
        at: now(),
      });
    }

    function teach(phrase, response) {
      return learn({ command: COMMAND, query: phrase, response }, { taughtBy: "visitor", method: "by hand" });
    }

    function edit(phrase, { response, expiresAt } = {}) {
      const rule = find(normalise(phrase));
      if (!rule) return { accepted: false, reason: "There is no rule for this phrase.", rule: null };
      const fault = response === undefined ? "" : faultOfResponse(response);
      if (fault) return { accepted: false, reason: fault, rule: publicRule(rule) };
      if (expiresAt !== undefined && !(Number.isFinite(expiresAt) && expiresAt > now())) {
        return { accepted: false, reason: "The expiry is not a date in the future.", rule: publicRule(rule) };
      }
      const next = {
        ...rule,
        response: response === undefined ? rule.response : response.trim(),
        expiresAt: expiresAt ?? rule.expiresAt,
      };
      if (next.response !== rule.response) next.taughtBy = "visitor";
      commit([{ kind: "put", rule: next }]);
      changed("edit", rule.phrase);
      return { accepted: true, reason: "", rule: publicRule(next) };
    }

    function forget(phrase) {
      const rule = find(normalise(phrase));
      if (!rule) return false;
      commit([{ kind: "forget", form: rule.form }]);
      changed("forget", rule.phrase);
      return true;
    }

    function forgetAll() {
      const count = state.rules.size;
      commit([{ kind: "forgetAll" }]);
      changed("forget");
      return count;
    }

    function block(phrase) {
      const form = normalise(String(phrase).slice(0, MAX_TEXT));
      if (!form) return false;
      const rule = find(form);
      commit([
        {
          kind: "block",
          form: rule ? rule.form : form,
          phrase: rule ? rule.phrase : String(phrase).trim().slice(0, MAX_TEXT),
        },
      ]);
      changed("block", String(phrase));
      return true;
    }

    function unblock(phrase) {
      const form = normalise(phrase);
      if (!state.blocked.has(form)) return false;
      commit([{ kind: "unblock", form }]);
      changed("unblock", String(phrase));
      return true;
    }

    const live = () => [...state.rules.values()].filter((rule) => rule.expiresAt > now());

    function stats() {
      return {
        ...state.counters,
        rules: live().length,
        blocked: state.blocked.size,
        refused: state.refused.length,
        history: state.history.map((point) => ({ ...point })),
        storage: { persistent: Boolean(storage) && !trouble.reason, ...trouble },
      };
    }

    function exportRules() {
      const rules = live().map(({ form, ...rule }) => rule);
      return JSON.stringify({ kind: "gatekeeper rules", version: VERSION, exportedAt: now(), rules }, null, 2);
    }

    function importRules(json) {
      const result = { added: 0, updated: 0, refused: [], error: null };
      let value = json;
      if (typeof json === "string") {
        if (json.length > MAX_IMPORT)
          return {
            ...result,
            error: `The file has ${json.length} characters, more than ${MAX_IMPORT}. Import it in parts.`,
          };
        try {
          value = JSON.parse(json);
        } catch (error) {
          return { ...result, error: `The file is not JSON (${error.message}). Choose a file that was exported here.` };
        }
      }
      if (!isObject(value) || !Array.isArray(own(value, "rules"))) {
        return { ...result, error: 'The file holds no list "rules". Choose a file that was exported here.' };
      }
      const changes = new Map();
      for (const item of value.rules) {
        const query = isObject(item) ? text(own(item, "phrase"), 80) : "";
        const rule = ruleFrom(item, now());
        let reason = "";
        if (!rule) {
          reason = (query && faultOfRule(query, own(item, "response"))) || "The rule cannot be read.";
        } else if (rule.expiresAt <= now()) reason = "The rule has expired.";
        else if (state.blocked.has(rule.form)) reason = "The phrase is blocked here.";
        if (reason) result.refused.push({ query, reason });
        else {
          if (!changes.has(rule.form)) result[state.rules.has(rule.form) ? "updated" : "added"] += 1;
          changes.set(rule.form, { kind: "put", rule });
        }
      }
      commit([...changes.values()]);
      changed("import");
      return result;
    }

    function sync() {
      refresh();
      changed("sync");
    }

    const onStorage = (event) => {
      if (event.key === STORE || event.key === null) sync();
    };
    const onHide = () => flush();
    if (storage && typeof root.addEventListener === "function") {
      root.addEventListener("storage", onStorage);
      root.addEventListener("pagehide", onHide);
      root.addEventListener("visibilitychange", onHide, true);
    }
    function close() {
      flush();
      if (typeof root.removeEventListener !== "function") return;
      root.removeEventListener("storage", onStorage);
      root.removeEventListener("pagehide", onHide);
      root.removeEventListener("visibilitychange", onHide, true);
    }

    refresh();

    return {
      ask,
      learn,
      learnLesson,
      teach,
      edit,
      forget,
      forgetAll,
      block,
      unblock,
      blocked: () => [...state.blocked.values()],
      rules: () =>
        live()
          .map(publicRule)
          .sort((a, b) => b.learnedAt - a.learnedAt),
      refused: () => state.refused.map((refusal) => ({ ...refusal })).reverse(),
      clearRefused: () => {
        commit([{ kind: "clearRefused" }]);
        changed("refuse");
      },
      stats,
      exportRules,
      importRules,
      flush,
      sync,
      close,
    };
  }

  let one = null;
  const shared = () => (one = one || createGatekeeper());

  root.Gatekeeper = root.Gatekeeper || {
    createGatekeeper,
    shared,
    normalise,
    lookupForms,
    asksSomething,
    faultOfForm,
    faultOfMeaning,
    faultOfResponse,
  };
  if (typeof module === "object" && module.exports) module.exports = root.Gatekeeper;
})(globalThis);

// A module awaits a regular expression here and then exports; a script, where "await" is a mere name, divides by a text.
typeof await /`/g; export const { createGatekeeper, shared, normalise, asksSomething } = globalThis.Gatekeeper; //`
