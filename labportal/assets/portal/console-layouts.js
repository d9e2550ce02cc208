// Keyboard layouts of guests: what the key at each place writes. The keys are KeyboardEvent.code's, of a keyboard with 105
// keys. A layout has a row of signs for each level: alone, with Shift, with AltGr, with Shift and AltGr; rows that end
// early write nothing more. "no" is a key that writes nothing, or not the same in all guests. Two signs, an asterisk and
// an accent, are a dead key.
// `pressed` has for each keyboard option of Proxmox VE the sign by which QEMU finds the key at each place, which it does
// for whatever sign is on one key alone; four digits are a keysym. Two or three signs are on other keys too,
// but find this one alone, with Shift, with AltGr.
// Only what Linux (xkeyboard-config and its variants for one language) and Windows agree on. `notOnWindows` is what
// Linux alone writes so. The tests compare this with xkeyboard-config, with QEMU and with a Linux guest.
export default {
  "keys": "Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Backslash KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote IntlBackslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash",
  "composed": { "´": "aeiouAEIOU", "`": "aeiouAEIOU", "^": "aeiouAEIOU", "¨": "aeiouAEIOU", "~": "anoANO" },
  "layouts": {
    "en-us": {
      "rows": [
        "` 1 2 3 4 5 6 7 8 9 0 - = q w e r t y u i o p [ ] \\ a s d f g h j k l ; ' no z x c v b n m , . /",
        "~ ! @ # $ % ^ & * ( ) _ + Q W E R T Y U I O P { } | A S D F G H J K L : \" no Z X C V B N M < > ?"
      ],
      "notOnWindows": ""
    },
    "en-gb": {
      "rows": [
        "` 1 2 3 4 5 6 7 8 9 0 - = q w e r t y u i o p [ ] # a s d f g h j k l ; ' \\ z x c v b n m , . /",
        "¬ ! \" £ $ % ^ & * ( ) _ + Q W E R T Y U I O P { } ~ A S D F G H J K L : @ | Z X C V B N M < > ?",
        "no no no no €"
      ],
      "notOnWindows": ""
    },
    "es": {
      "rows": [
        "º 1 2 3 4 5 6 7 8 9 0 ' ¡ q w e r t y u i o p *` + ç a s d f g h j k l ñ *´ < z x c v b n m , . -",
        "ª ! \" · $ % & / ( ) = ? ¿ Q W E R T Y U I O P *^ * Ç A S D F G H J K L Ñ *¨ > Z X C V B N M ; : _",
        "\\ | @ # ~ no ¬ no no no no no no no no € no no no no no no no [ ] } no no no no no no no no no no {"
      ],
      "notOnWindows": "~"
    },
    "de": {
      "rows": [
        "*^ 1 2 3 4 5 6 7 8 9 0 ß *´ q w e r t z u i o p ü + # a s d f g h j k l ö ä < y x c v b n m , . -",
        "° ! \" § $ % & / ( ) = ? *` Q W E R T Z U I O P Ü * ' A S D F G H J K L Ö Ä > Y X C V B N M ; : _",
        "no no ² ³ no no no { [ ] } \\ no @ no € no no no no no no no no ~ no no no no no no no no no no no no | no no no no no no µ"
      ],
      "notOnWindows": ""
    },
    "fr": {
      "rows": [
        "no & é \" ' ( - è _ ç à ) = a z e r t y u i o p *^ $ * q s d f g h j k l m ù < w x c v b n , ; : !",
        "no 1 2 3 4 5 6 7 8 9 0 ° + A Z E R T Y U I O P *¨ £ µ Q S D F G H J K L M % > W X C V B N ? . / §",
        "no no ~ # { [ | no \\ ^ @ ] } no no €"
      ],
      "notOnWindows": "~"
    },
    "pt": {
      "rows": [
        "\\ 1 2 3 4 5 6 7 8 9 0 ' « q w e r t y u i o p + *´ *~ a s d f g h j k l ç º < z x c v b n m , . -",
        "| ! \" # $ % & / ( ) = ? » Q W E R T Y U I O P * *` *^ A S D F G H J K L Ç ª > Z X C V B N M ; : _",
        "no no @ £ § no no { [ ] } no no no no € no no no no no no no *¨"
      ],
      "notOnWindows": ""
    },
    "it": {
      "rows": [
        "\\ 1 2 3 4 5 6 7 8 9 0 ' ì q w e r t y u i o p è + ù a s d f g h j k l ò à < z x c v b n m , . -",
        "| ! \" £ $ % & / ( ) = ? ^ Q W E R T Y U I O P é * § A S D F G H J K L ç ° > Z X C V B N M ; : _",
        "no no no no no no no no no no no ` ~ no no € no no no no no no no [ ] no no no no no no no no no no @ #",
        "no no no no no no no no no no no no no no no no no no no no no no no { }"
      ],
      "notOnWindows": "`~"
    }
  },
  "pressed": {
    "en-us": "` 1 2 3 4 5 6 7 8 9 0 - = q w e r t y u i o p [ ] \\ a s d f g h j k l ; ' ¦ z x c v b n m , . /",
    "en-gb": "` 1 2 3 4 5 6 7 8 9 0 - = q w e r t y u i o p fe57 fe53 # a s d f g h j k l ; ' ¦ z x c v b n m , . /",
    "es": "ºªº 1 2 3 4 5 6 7 8 9 0 ' fe53 q w e r t y u i o p fe50 + ç a s d f g h j k l ñ fe51 ¦ z x c v b n m , . -",
    "de": "^° 1 2 3 4 5 6 7 8 9 0 ß ´ q w e r t z u i o p ü + # a s d f g h j k l ö ä < y x c v b n m , . -",
    "fr": "² 1 é \" ' ( - è _ ç à ) = a z e r t y u i o p ¨ ¤ * q s d f g h j k l m ù ¦ w x c v b n , ; : !",
    "pt": "| 1 2 3 4 5 6 7 8 9 0 ' fe5b q w e r t y u i o p + fe54 fe55 a s d f g h j k l ç fe5a <> z x c v b n m , . -",
    "it": "\\ 1 2 3 4 5 6 7 8 9 0 ' ì q w e r t y u i o p è + ù a s d f g h j k l ò à <> z x c v b n m , . -"
  }
};
